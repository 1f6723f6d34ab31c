import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Instant, minute, plus, toInstant } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import type { Timeframe } from '../../src/market/timeframe.ts'
import type { FaultPlan } from '../../src/replay/faults.ts'
import { proxyTo } from '../queue/proxy.ts'
import { engines } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import {
  countAt,
  differences,
  openSite,
  type Site,
  servedLines,
  shortJobs,
  storedLines,
} from './support/site.ts'

const instant = (iso: string): Instant => toInstant(Date.parse(iso))
const fortnight: Range = { from: instant('2024-03-01T00:00Z'), to: instant('2024-03-15T00:00Z') }
const symbols = { bitcoin: 'BTCUSDT', ethereum: 'ETHUSDT' } as const
const fortnightOf = (coins: string): string =>
  `backfill ${coins} --timeframe 1m,1h --from 2024-03-01 --to 2024-03-15 --force --no-archive`
/** A page has 1,000 candles: 21 of the minutes and one of the hours of each coin. */
const pagesOfTwo = 44

/** Expects the table to hold what the exchange serves: the same rows, none twice, none missing, none open. */
async function expectWhole(site: Site, coinIds: readonly (keyof typeof symbols)[]) {
  for (const coinId of coinIds) {
    for (const timeframe of ['1m', '1h'] as const satisfies Timeframe[]) {
      const stored = await storedLines(site, coinId, timeframe)
      const served = servedLines(symbols[coinId], timeframe, fortnight)
      expect(served.length).toBeGreaterThan(0)
      expect(differences(stored, served)).toEqual([])
    }
  }
}

const countStored = async ({ database: { pool } }: Site): Promise<number> =>
  Number((await pool.query('select count(*) from ohlcv_data')).rows[0]?.count)

/** Where the third page of each job of 5,000 candles begins. */
const thirdPages = [0, 1, 2, 3].map((job) => plus(fortnight.from, (5_000 * job + 2_000) * minute))

/** There every job stands still: the work stops by itself as soon as all that may run at a time have come that far. */
const stallAtThirdPages: FaultPlan = thirdPages.map((from) => ({
  path: '/api/v3/klines',
  query: { interval: '1m', startTime: String(from) },
  when: 'always',
  fault: { name: 'stall' },
}))
const jobsAtATime = 4

/** Its minutes and its hours. */
const wholeFortnight = 14 * (1_440 + 24)

const countStalled = ({ exchange }: Site): number =>
  exchange.requests.filter(({ fault }) => fault === 'stall').length

/** More than that where a slow machine has let one time out. */
const untilStalled = (site: Site) => eventually(() => countStalled(site) >= jobsAtATime, true)

/** What came before is stored within `candles.pageTimeout`, though the next page does not come. */
const untilSecondPagesStored = (site: Site) =>
  eventually(
    () =>
      countAt(
        site,
        thirdPages.map((from) => plus(from, -minute)),
      ),
    jobsAtATime,
  )

/** The open times, the first and the last, that were asked for since the given request. */
function askedSince({ exchange }: Site, first: number): { market: string; range: Range }[] {
  return exchange.requests.slice(first).flatMap(({ path }) => {
    const { pathname, searchParams } = new URL(path, exchange.urlOf('binance'))
    if (pathname !== '/api/v3/klines') return []
    const [from, to] = ['startTime', 'endTime'].map((name) => toInstant(Number(searchParams.get(name))))
    if (from === undefined || to === undefined) return []
    return [{ market: `${searchParams.get('symbol')} ${searchParams.get('interval')}`, range: { from, to } }]
  })
}

async function storedRanges({ database: { pool } }: Site): Promise<Range[]> {
  const { rows } = await pool.query<{ from_ms: string; to_ms: string }>(`
    select extract(epoch from lower(part)) * 1000 as from_ms, extract(epoch from upper(part)) * 1000 as to_ms
    from candle_coverage, unnest(ranges) as part
    where coin_id = 'bitcoin' and timeframe = '1m' and state = 'stored'`)
  return rows.map(({ from_ms, to_ms }) => ({
    from: toInstant(Number(from_ms)),
    to: toInstant(Number(to_ms)),
  }))
}

const report = z.object({
  plan: z.object({ candles: z.number(), requests: z.number() }),
  result: z
    .object({
      received: z.number(),
      new: z.number(),
      requests: z.number(),
      knownBefore: z.number(),
      remaining: z.number(),
    })
    .optional(),
})

describe.concurrent.each(engines)('backfill on %s', (engine) => {
  test('loads exactly what the exchange has and nothing twice, even where clock and database are in India', async () => {
    await using site = await openSite({ engine })
    const { pool } = site.database
    await pool.query(`do $$ begin
      execute format('alter database %I set timezone = %L', current_database(), 'Asia/Kolkata');
    end $$`)
    const first = await site.run(`${fortnightOf('bitcoin ethereum')} --json`, { TZ: 'Asia/Kolkata' })
    expect(first).toMatchObject({ code: 0 })
    await expectWhole(site, ['bitcoin', 'ethereum'])
    const { plan, result } = report.parse(JSON.parse(first.stdout))
    const stored = await countStored(site)
    expect(result).toMatchObject({ received: stored, new: stored, remaining: 0 })
    expect(plan.requests).toBe(pagesOfTwo)
    expect(site.exchange.requests).toHaveLength(pagesOfTwo)
    const { rows } = await pool.query(
      `select relid::text as name from pg_partition_tree('ohlcv_data') where isleaf order by 1`,
    )
    const days = Array.from({ length: 14 }, (_, day) => String(day + 1).padStart(2, '0'))
    expect(rows.map(({ name }) => name)).toEqual([
      'ohlcv_data_1h_y2024m03',
      ...days.map((day) => `ohlcv_data_1m_y2024m03d${day}`),
    ])

    const [second] = await site.runLines([`${fortnightOf('bitcoin ethereum')} --json`])
    expect(second).toMatchObject({ code: 0, stderr: '' })
    expect(report.parse(JSON.parse(second?.stdout ?? '')).plan).toMatchObject({ candles: 0, requests: 0 })
    expect(site.exchange.requests).toHaveLength(pagesOfTwo)
    expect(await countStored(site)).toBe(stored)
  })

  test('killed in the middle, requests nothing again that is stored, and reports what was there and what it did', async () => {
    await using site = await openSite({ engine, config: shortJobs })
    site.exchange.setFaults(stallAtThirdPages)
    const killed = site.start(fortnightOf('bitcoin'))
    await untilStalled(site)
    // Killed earlier, it would request the answers of the last second again.
    await untilSecondPagesStored(site)
    await killed.stop('SIGKILL')
    const there = await storedRanges(site)
    const stored = await countStored(site)
    const asked = site.exchange.requests.length
    const answered = asked - countStalled(site)

    site.exchange.setFaults([])
    const [second] = await site.runLines([`${fortnightOf('bitcoin')} --json`])
    expect(second).toMatchObject({ code: 0 })
    await expectWhole(site, ['bitcoin'])
    const again = askedSince(site, asked)
      .filter(({ market }) => market === 'BTCUSDT 1m')
      .filter(({ range }) => there.some(({ from, to }) => range.from < to && from <= range.to))
    expect(again).toEqual([])
    const { plan, result } = report.parse(JSON.parse(second?.stdout ?? ''))
    const added = (await countStored(site)) - stored
    // Jobs of the killed process are still in the queue, with ranges that overlap those of the second command.
    expect(result).toMatchObject({
      knownBefore: wholeFortnight - plan.candles,
      received: added,
      new: added,
      requests: plan.requests,
      remaining: 0,
    })
    expect(plan.requests).toBe(pagesOfTwo / 2 - answered)
  })

  test('goes on by itself after the database did not answer for a while', async () => {
    await using site = await openSite({ engine, config: `${shortJobs}http: { timeout: 5 s }` })
    const proxy = await proxyTo(site.database.url)
    try {
      await proxy.open()
      site.exchange.setFaults(stallAtThirdPages)
      const running = site.start(fortnightOf('bitcoin'), {
        DATABASE_URL: proxy.urlTo(site.database.url),
        BEACON_LOG_LEVEL: 'warn',
      })
      await untilStalled(site)
      await proxy.close()
      await eventually(() => running.stderr().includes('engine.waiting'), true)
      site.exchange.setFaults([])
      await proxy.open()
      expect(await running.ended).toMatchObject({ code: 0 })
      await expectWhole(site, ['bitcoin'])
    } finally {
      await proxy.close()
    }
  })

  test('stopped by Ctrl-C, says so in one sentence, leaves no work behind and goes on later', async () => {
    await using site = await openSite({ engine, config: shortJobs })
    site.exchange.setFaults(stallAtThirdPages)
    const running = site.start(fortnightOf('bitcoin'))
    await untilStalled(site)
    const { code, stderr, stdout } = await running.stop('SIGINT')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.split('\n').slice(-2)).toEqual([
      'error: stopped; what was loaded stays, and the same command goes on from there',
      '',
    ])

    site.exchange.setFaults([])
    const [queues, rest] = await site.runLines(['queues --json', fortnightOf('bitcoin')])
    expect(JSON.parse(queues?.stdout ?? '').queues[0]).toMatchObject({
      queue: 'binance',
      waiting: 0,
      prioritized: 0,
      active: 0,
      delayed: 0,
    })
    expect(rest?.code).toBe(0)
    await expectWhole(site, ['bitcoin'])
  })
})
