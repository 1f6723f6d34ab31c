import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { describe, expect, test } from 'vitest'
import { Misconfigured } from '../../src/fault.ts'
import {
  type ArchiveDeps,
  archived,
  discardSuperseded,
} from '../../src/lifecycle/archive/archive-partition.ts'
import { checkArchive } from '../../src/lifecycle/archive/check-archive.ts'
import { queryArchive } from '../../src/lifecycle/archive/query-archive.ts'
import { restoreArchive } from '../../src/lifecycle/archive/restore-archive.ts'
import { day, hour, toIso } from '../../src/market/instant.ts'
import type { AlignedInstant } from '../../src/market/timeframe.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { isTrusted, listArchives } from '../../src/store/lifecycle/archives.ts'
import { deletePartition, holdOf } from '../../src/store/lifecycle/delete-partitions.ts'
import { listPartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { keptInSummary } from '../../src/store/lifecycle/summary-days.ts'
import { refreshView } from '../../src/store/lifecycle/views.ts'
import { withPartitions } from '../../src/store/partition-cache.ts'
import { candleTable } from '../../src/store/partitions.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { aBatch, aCandle, aCoin, at, loadCandles } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { createTestDatabase, servers } from '../support/database.ts'

const first = at('2024-01-01T00:00:00Z')
const now = at('2024-09-01T00:30:00Z')
const days = 70

/** What may happen to the rows, in any order. `pick` chooses among what there is then. */
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('load' as const),
      coin: fc.nat(1),
      from: fc.nat(days - 1),
      hours: fc.integer({ min: 1, max: 60 }),
      value: fc.nat(8),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('retire' as const), pick: fc.nat(), all: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('killed' as const),
      pick: fc.nat(),
      step: fc.constantFrom('locked', 'proved', 'trimmed', 'dropped'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('reader' as const), pick: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('restore' as const),
      pick: fc.nat(),
      step: fc.constantFrom('none', 'staged', 'recorded'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('length' as const),
      length: fc.constantFrom('day' as const, 'month' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('tidy' as const) }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** Coin and open time → close: what there is, wherever it is. */
type Model = Map<string, string>

type World = { pool: Pool; settings: Settings; model: Model; coins: readonly string[] }

const depsOf = ({ pool, settings }: World, killAt?: string): ArchiveDeps => ({
  pool,
  settings,
  clock: { now: () => now },
  ...(killAt !== undefined && {
    steps: async (step: string) => {
      if (step === killAt) throw new Killed()
    },
  }),
})

class Killed extends Error {}

async function carryOut(world: World, one: Operation): Promise<void> {
  switch (one.what) {
    case 'load':
      return loadSome(world, one.coin, plus(first, one.from * day), one.hours, one.value)
    case 'retire':
      return retire(world, one.pick, one.all)
    case 'killed':
      return retire(world, one.pick, false, one.step)
    case 'reader': {
      const reader = await world.pool.connect()
      await reader.query('begin; select count(*) from ohlcv_data')
      await retire(world, one.pick, false)
      await expectSame(world)
      await reader.query('commit')
      return reader.release()
    }
    case 'restore':
      return restoreSome(world, one.pick, one.step)
    case 'length':
      return setLength(world, one.length)
    case 'tidy':
      return discardSuperseded(depsOf(world))
  }
}

/** Values that are there already, new ones, and other ones for candles that are there. */
async function loadSome(
  world: World,
  coin: number,
  from: AlignedInstant,
  hours: number,
  value: number,
): Promise<void> {
  const { pool, settings, model, coins } = world
  const coinId = coins[coin] ?? ''
  const candles = Array.from({ length: hours }, (_, index) =>
    aCandle(plus(from, index * hour), { close: `10.0000000${index % 3 === 0 ? value : 0}` }),
  )
  const batch = aBatch({ coinId, timeframe: '1h', source: 'binance' }, candles)
  const length = settings.timeframes['1h']?.partition ?? 'month'
  try {
    await withPartitions(
      { pool, partitions: new Map(), lockTimeoutMs: 2_000 },
      candleTable('1h', length),
      batch.rows.openTimes,
      () => inTransaction(pool, (tx) => loadCandles(tx, batch)),
    )
  } catch (error) {
    // Partitions of another length are there: nothing was loaded.
    if (error instanceof Misconfigured) return
    throw error
  }
  for (const { openTime, close } of candles) model.set(`${coinId} ${toIso(openTime)}`, close)
}

async function retire(world: World, pick: number, all: boolean, killAt?: string): Promise<void> {
  const partitions = await listPartitions(world.pool, ['ohlcv_data_1h'])
  const chosen = all ? partitions : partitions.slice(pick % Math.max(1, partitions.length)).slice(0, 1)
  const deps = depsOf(world, killAt)
  for (const partition of chosen) {
    try {
      const proofs = [await keptInSummary(partition), await archived(deps)(partition)]
      const { pool, steps = async () => undefined } = deps
      await deletePartition({ pool, steps, now, lockTimeoutMs: 100, timeframe: '1h' }, partition, proofs)
    } catch (error) {
      if (!(error instanceof Killed) && holdOf(error)?.kind !== 'lock') throw error
    }
  }
}

async function restoreSome(world: World, pick: number, step: string): Promise<void> {
  const archives = (await listArchives(databaseOf(world.pool))).filter(isTrusted)
  const archive = archives[pick % Math.max(1, archives.length)]
  if (!archive) return
  try {
    await restoreArchive(depsOf(world, step), archive)
  } catch (error) {
    if (!(error instanceof Killed) && !(error instanceof Misconfigured)) throw error
  }
}

async function setLength(world: World, partition: 'day' | 'month'): Promise<void> {
  const hourly = world.settings.timeframes['1h']
  if (!hourly) throw new Error('1h is not configured')
  const timeframes = { ...world.settings.timeframes, '1h': { ...hourly, partition } }
  world.settings = { ...world.settings, timeframes }
}

/** A query sees exactly the rows of the model. */
async function expectSame(world: World): Promise<void> {
  const { rows } = await queryArchive(
    world,
    `select coin_id || ' ' || strftime(timestamp, '%Y-%m-%dT%H:%M:%S.000Z'), close from ohlcv_data where timeframe = '1h' order by 1`,
  )
  expect(rows).toEqual([...world.model].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Every row is what was written, and no day is missing in the summary. */
async function expectSound(world: World): Promise<void> {
  const { signal } = new AbortController()
  const { problems } = await checkArchive(
    { ...depsOf(world), signal },
    { coinIds: world.coins, isWhole: true, accept: false },
  )
  expect(problems).toEqual([])
  await refreshView(world.pool, 'daily_price_summary')
  const { rows } = await world.pool.query<{ key: string }>(
    `select coin_id || ' ' || day::date as key from daily_price_summary order by 1`,
  )
  const wanted = new Set([...world.model.keys()].map((key) => key.slice(0, key.indexOf('T'))))
  expect(rows.map(({ key }) => key)).toEqual([...wanted].toSorted())
}

const runs = Number(process.env.PROPERTY_RUNS ?? 3)

describe.each(servers)('live, archived and restored rows on $server', ({ clusterUrl }) => {
  test('are one set, whatever happens to them', { timeout: 120_000 * runs }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 6, maxLength: 14, size: 'max' }),
        async (operations) => {
          const { pool, drop } = await createTestDatabase(clusterUrl)
          const folder = await mkdtemp(join(tmpdir(), 'beacon-set-'))
          try {
            const settings = readSettings({ BEACON_DATA_DIR: folder })
            const world: World = {
              pool,
              settings,
              model: new Map(),
              coins: [await aCoin(pool), await aCoin(pool)],
            }
            for (const one of operations) {
              await carryOut(world, one)
              await expectSame(world)
            }
            await expectSound(world)
          } finally {
            await drop()
            await rm(folder, { recursive: true, force: true })
          }
        },
      ),
      { numRuns: runs },
    )
  })
})
