import fc from 'fast-check'
import { expect } from 'vitest'
import { Misconfigured, Unavailable } from '../../src/fault.ts'
import {
  type ArchiveDeps,
  archived,
  archivePartition,
  discardSuperseded,
} from '../../src/lifecycle/archive/archive-partition.ts'
import { restoreArchive } from '../../src/lifecycle/archive/restore-archive.ts'
import { day, hour } from '../../src/market/instant.ts'
import type { AlignedInstant } from '../../src/market/timeframe.ts'
import type { PartitionLength } from '../../src/settings/schema.ts'
import { isTrusted, listArchives } from '../../src/store/lifecycle/archives.ts'
import { deletePartition, holdOf } from '../../src/store/lifecycle/delete-partitions.ts'
import { listPartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { keptInSummary } from '../../src/store/lifecycle/summary-days.ts'
import { withPartitions } from '../../src/store/partitions/partition-cache.ts'
import { candleTable } from '../../src/store/partitions.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { aBatch, aCandle, at, loadCandles } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { retain } from './retaining.ts'
import { expectSame, expectSameWithin, keyOf, now, type World } from './rows-model.ts'

const first = at('2024-01-01T00:00:00Z')
const days = 70

const pick = fc.nat()
const coin = fc.nat(1)
const from = fc.nat(days - 1)
const hours = fc.integer({ min: 1, max: 60 })
const value = fc.nat(8)

const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary })
const what = <const T extends string>(name: T) => fc.constant(name)

/** What may happen to the rows, in any order. `pick` chooses among what there is then. */
export const operation = fc.oneof(
  weighted(6, fc.record({ what: what('load'), coin, from, hours, value })),
  weighted(3, fc.record({ what: what('revise'), pick, hours, value })),
  weighted(2, fc.record({ what: what('archive'), pick })),
  weighted(3, fc.record({ what: what('retire'), pick, all: fc.constantFrom(false, false, false, true) })),
  weighted(
    2,
    fc.record({
      what: what('killed'),
      pick,
      step: fc.constantFrom('locked', 'proved', 'trimmed', 'dropped'),
    }),
  ),
  weighted(
    3,
    fc.record({
      what: what('retention'),
      limit: fc.integer({ min: 31, max: 100 }),
      step: fc.constantFrom('none', 'none', 'prepared', 'trimmed', 'gone'),
    }),
  ),
  weighted(1, fc.record({ what: what('reader'), pick })),
  weighted(
    3,
    fc.record({
      what: what('restore'),
      pick,
      step: fc.constantFrom('none', 'staged', 'recorded'),
    }),
  ),
  weighted(2, fc.record({ what: what('together'), pick, other: pick })),
  weighted(2, fc.record({ what: what('length'), length: fc.constantFrom('day', 'month', 'year') })),
  weighted(1, fc.record({ what: what('tidy') })),
  weighted(2, fc.record({ what: what('query'), coin, from, hours })),
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

class Killed extends Error {}

const stepsTo = (killAt: string) => async (step: string) => {
  if (step === killAt) throw new Killed()
}

const depsOf = ({ pool, settings }: World, killAt = 'none'): ArchiveDeps => ({
  pool,
  settings,
  clock: { now: () => now },
  steps: stepsTo(killAt),
})

export async function carryOut(world: World, one: Operation): Promise<void> {
  switch (one.what) {
    case 'load':
      return load(world, world.coins[one.coin] ?? '', plus(first, one.from * day), one.hours, one.value)
    case 'revise':
      return revise(world, one.pick, one.hours, one.value)
    case 'archive':
      return archiveOne(world, one.pick)
    case 'retire':
      return retire(world, one.pick, one.all)
    case 'killed':
      return retire(world, one.pick, false, one.step)
    case 'retention':
      return runRetention(world, one.limit, one.step)
    case 'reader':
      return readWhileRetiring(world, one.pick)
    case 'restore':
      return restore(world, one.pick, one.step)
    case 'together':
      await Promise.all([
        restore(world, one.pick, 'none'),
        retire(world, one.other, false),
        expectSame(world),
      ])
      return
    case 'length':
      return setLength(world, one.length)
    case 'tidy':
      return discardSuperseded(depsOf(world))
    case 'query': {
      const start = plus(first, one.from * day)
      const range = { from: start, to: plus(start, one.hours * hour) }
      return expectSameWithin(world, world.coins[one.coin] ?? '', range)
    }
  }
}

/** Values that are there already, new ones, and other ones for candles that are there. */
async function load(
  world: World,
  coinId: string,
  start: AlignedInstant,
  count: number,
  close: number,
): Promise<void> {
  const { pool, settings, model } = world
  const candles = Array.from({ length: count }, (_, index) =>
    aCandle(plus(start, index * hour), { close: `10.0000000${index % 3 === 0 ? close : 0}` }),
  )
  const batch = aBatch({ coinId, timeframe: '1h', source: 'binance' }, candles)
  const length = settings.timeframes['1h']?.partition ?? 'month'
  await withPartitions(
    { pool, partitions: new Map(), lockTimeoutMs: 2_000 },
    candleTable('1h', length),
    batch.rows.openTimes,
    () => inTransaction(pool, (tx) => loadCandles(tx, batch)),
  )
  for (const { openTime, close: stored } of candles) model.set(keyOf(coinId, openTime), stored)
}

/** Loads other values from a candle on that there is, in the table or only in a file. */
async function revise(world: World, index: number, count: number, close: number): Promise<void> {
  const keys = [...world.model.keys()]
  const [coinId, time] = keys[index % Math.max(1, keys.length)]?.split(' ') ?? []
  if (coinId === undefined || time === undefined) return
  await load(world, coinId, at(time), count, close)
}

const chosen = <T>(list: readonly T[], index: number): readonly T[] =>
  list.length === 0 ? [] : list.slice(index % list.length).slice(0, 1)

async function archiveOne(world: World, index: number): Promise<void> {
  for (const partition of chosen(await listPartitions(world.pool, ['ohlcv_data_1h']), index))
    await archivePartition(depsOf(world), partition)
}

async function retire(world: World, index: number, all: boolean, killAt?: string): Promise<void> {
  const partitions = await listPartitions(world.pool, ['ohlcv_data_1h'])
  const deps = depsOf(world, killAt)
  const { pool, steps = async () => undefined } = deps
  for (const partition of all ? partitions : chosen(partitions, index)) {
    try {
      const proofs = [await keptInSummary(partition), await archived(deps)(partition)]
      await deletePartition({ pool, steps, now, lockTimeoutMs: 100, timeframe: '1h' }, partition, proofs)
    } catch (error) {
      if (!mayHappen(error)) throw error
    }
  }
}

/** What a run meets that was killed, or meets another one. */
const mayHappen = (error: unknown): boolean =>
  error instanceof Killed || error instanceof Unavailable || holdOf(error) !== undefined

/** A run as the job does it, of what is older than a day of the model. */
async function runRetention(world: World, limit: number, killAt: string): Promise<void> {
  const { pool, settings } = world
  const hourly = settings.timeframes['1h']
  if (!hourly) throw new Error('1h is not configured')
  const keep = now - plus(first, limit * day)
  const timeframes = { ...settings.timeframes, '1h': { ...hourly, keep } }
  try {
    await retain(pool, {
      settings: { ...settings, timeframes },
      agreed: true,
      now,
      steps: stepsTo(killAt),
    })
  } catch (error) {
    if (!mayHappen(error)) throw error
  }
}

/** What a transaction has read it reads again, and every other query finds the same. */
async function readWhileRetiring(world: World, index: number): Promise<void> {
  const reader = await world.pool.connect()
  const count = async () =>
    (await reader.query(`select count(*) from ohlcv_data where timeframe = '1h'`)).rows
  try {
    await reader.query('begin isolation level repeatable read')
    const before = await count()
    await retire(world, index, false)
    await expectSame(world)
    expect(await count()).toEqual(before)
    await reader.query('commit')
  } finally {
    reader.release()
  }
}

async function restore(world: World, index: number, killAt: string): Promise<void> {
  const archives = (await listArchives(databaseOf(world.pool))).filter(isTrusted)
  for (const archive of chosen(archives, index)) {
    try {
      await restoreArchive(depsOf(world, killAt), archive)
    } catch (error) {
      if (!mayHappen(error) && !(error instanceof Misconfigured)) throw error
    }
  }
}

async function setLength(world: World, partition: PartitionLength): Promise<void> {
  const hourly = world.settings.timeframes['1h']
  if (!hourly) throw new Error('1h is not configured')
  const timeframes = { ...world.settings.timeframes, '1h': { ...hourly, partition } }
  world.settings = { ...world.settings, timeframes }
}
