import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { day, hour, minute, plus, toInstant, toIso } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { toAlignedRange } from '../../src/market/range.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readMissing } from '../../src/store/coverage/missing-candles.ts'
import { checkDeeply, type Discrepancy, planDeepCheck } from '../../src/store/digests/deep-check.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import type { Running } from '../cli/support/beacon.ts'
import { differences, openSite, type Site, servedLines, storedLines } from '../cli/support/site.ts'
import { untilReady } from '../daemon/ready.ts'
import { engines } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { RedisServers } from '../support/redis-server.ts'
import { type Strike, type Struck, strike, strikeAt } from './strikes.ts'

const strikes = Number(process.env.PROPERTY_RUNS ?? 4)
const seed = Number(process.env.PROPERTY_SEED ?? randomInt(2 ** 31))

const config = `
track: [bitcoin]
candles: { settleDelay: 1 s, chunk: 1000 }
timeframes:
  1m: { history: 2 hours }
prices: { every: 1 hour }
`
const from = toInstant(Date.UTC(2024, 2, 1))
const rangeOf = (index: number) => ({
  from: plus(from, 4 * index * day),
  to: plus(from, 4 * (index + 1) * day),
})

const backfill = ({ from, to }: Range) =>
  `backfill bitcoin --timeframe 1m --from ${toIso(from)} --to ${toIso(to)} --force --no-archive`

/** The candles of the range that are not as the exchange serves them. */
async function wrongIn(site: Site, range: Range): Promise<string[]> {
  const stored = await storedLines(site, 'bitcoin', '1m')
  const inside = stored.filter((line) => line >= toIso(range.from) && line < toIso(range.to))
  return differences(inside, servedLines('BTCUSDT', '1m', range))
}

async function discrepanciesOf({ database: { pool } }: Site): Promise<Discrepancy[]> {
  const found: Discrepancy[] = []
  await checkDeeply(pool, await planDeepCheck(pool), {
    signal: new AbortController().signal,
    now: systemClock.now(),
    onDiscrepancy: (one) => {
      found.push(one)
    },
    onProgress: () => undefined,
  })
  return found
}

/** A daemon that is started again whenever it is killed. */
async function startDaemon(site: Site): Promise<Running> {
  const daemon = site.start('start --roles scheduler,worker')
  await untilReady(daemon)
  return daemon
}

/** Fills a range, and strikes once that has made so many requests. */
async function fillUnder(struck: Struck, one: Strike, range: Range, killDaemon: () => Promise<void>) {
  const { site } = struck
  const before = site.exchange.requests.length
  const command = site.start(backfill(range))
  let hasEnded = false
  const ended = command.ended.finally(() => {
    hasEnded = true
  })
  await eventually(() => hasEnded || site.exchange.requests.length - before >= one.afterRequests, true)
  if (one.at.what === 'backfill') await command.stop('SIGKILL')
  else if (one.at.what === 'daemon') await killDaemon()
  else await strikeAt(struck, one)
  const faulty = () => site.exchange.requests.filter(({ fault }) => fault !== null).length
  const faultyBefore = faulty()
  if (one.at.what === 'exchange') await eventually(() => hasEnded || faulty() > faultyBefore + 2, true)
  site.exchange.setFaults([])
  await ended
}

async function underStrikes(struck: Struck, all: readonly Strike[]): Promise<void> {
  const { site } = struck
  const startedAt = systemClock.now()
  let daemon = await startDaemon(site)
  for (const [index, one] of all.entries()) {
    await fillUnder(struck, one, rangeOf(index), async () => {
      await daemon.stop('SIGKILL')
      daemon = await startDaemon(site)
    })
  }
  const whole = { from, to: rangeOf(all.length - 1).to }
  expect((await site.run(backfill(whole))).stderr).not.toContain('error')
  expect(await wrongIn(site, whole)).toEqual([])
  const live = { from: floorTo('1m', plus(startedAt, -hour)), to: floorTo('1m', systemClock.now()) }
  await eventually(() => wrongIn(site, live), [])
  await daemon.stop('SIGTERM')
  expect(await discrepanciesOf(site)).toEqual([])
  const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
  const ranges = [whole, { from: live.from, to: plus(live.to, -minute) }].map((range) => ({
    ...series,
    range: toAlignedRange('1m', range),
  }))
  expect(await readMissing(databaseOf(site.database.pool), ranges, 'skip-rejected')).toEqual([[], []])
}

describe.concurrent('a backfill and live ingest under faults that a seed chooses', () => {
  test.for(engines)(
    'end with exactly the closed candles of the exchange, on %s',
    { timeout: 120_000 + 60_000 * strikes },
    async (engine) => {
      process.stderr.write(`again with the same faults: PROPERTY_SEED=${seed} PROPERTY_RUNS=${strikes}\n`)
      const folder = await mkdtemp(join(tmpdir(), 'beacon-mixture-'))
      const servers = new RedisServers(folder)
      try {
        const redis = engine === 'redis' ? await servers.start() : undefined
        const queue = redis ? { REDIS_URL: `redis://127.0.0.1:${redis.port}` } : {}
        await using site = await openSite({ config, variables: queue })
        const [all = []] = fc.sample(fc.array(strike, { minLength: strikes, maxLength: strikes }), {
          seed,
          numRuns: 1,
        })
        await underStrikes({ site, redis }, all)
      } finally {
        await servers.close()
        await rm(folder, { recursive: true, force: true })
      }
    },
  )
})
