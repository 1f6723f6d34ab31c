import { describe, expect, test } from 'vitest'
import type { Counters, DatabaseSample } from '../../drizzle/schema/monitoring.ts'
import { day, hour, plus } from '../../src/market/instant.ts'
import { databaseConcerns, indexConcerns } from '../../src/monitoring/thresholds.ts'
import { readSettings } from '../../src/settings.ts'
import { untilFullMs } from '../../src/store/partitions/until-full.ts'
import { start } from '../store/loading.ts'

const limits = readSettings({}).monitoring

const noCounts: Counters = {
  activeMs: 0,
  transactions: 0,
  blocksHit: 0,
  blocksRead: 0,
  indexScans: 0,
  tableScans: 0,
}

const aSample = (parts: Partial<DatabaseSample> = {}): DatabaseSample => ({
  sampledAt: start,
  averageQueryMs: 2,
  pingMs: 0.3,
  cacheHitRatio: 0.99,
  indexScanRatio: 0.9,
  connectionsActive: 2,
  connectionsIdle: 8,
  connectionsWaiting: 0,
  connectionsMax: 100,
  databaseBytes: 1e9,
  diskFreeBytes: 10e9,
  counters: noCounts,
  ...parts,
})

const concernsOf = (...samples: DatabaseSample[]) => databaseConcerns(samples, samples, limits)

describe('the database', () => {
  test('that is well is no concern, nor one that nothing is known of', () => {
    expect(concernsOf(aSample())).toEqual([])
    expect(concernsOf()).toEqual([])
    expect(concernsOf(aSample({ averageQueryMs: null, cacheHitRatio: null }))).toEqual([])
  })

  test.for([
    ['database.slow', { averageQueryMs: 1_500 }, /takes 1500 ms .*beacon doctor/],
    ['database.cache', { cacheHitRatio: 0.5 }, /Only 50 % .*shared_buffers/],
    [
      'database.connections',
      { connectionsIdle: 79 },
      /81 of the database's 100 connections.*max_connections/,
    ],
  ] as const)('is a concern (%s) with its remedy', ([key, parts, message]) => {
    expect(concernsOf(aSample(parts))).toEqual([{ key, message: expect.stringMatching(message) }])
  })

  test('is judged by the average, not by one bad minute', () => {
    const well = Array.from({ length: 9 }, () => aSample())
    expect(concernsOf(...well, aSample({ averageQueryMs: 5_000, cacheHitRatio: 0.3 }))).toEqual([])
  })

  test('that fills its disk is a concern as soon as the pace of days says so', () => {
    const later = (afterMs: number, grownBytes: number) =>
      aSample({
        sampledAt: plus(start, afterMs),
        databaseBytes: 1e9 + grownBytes,
        diskFreeBytes: 10e9 - grownBytes,
      })
    expect(untilFullMs([aSample(), later(2 * day, 2e9)])).toBe(8 * day)
    expect(concernsOf(aSample(), later(2 * day, 2e9))).toEqual([
      { key: 'disk.filling', message: expect.stringContaining('in about 8 days') },
    ])
    expect(concernsOf(aSample(), later(hour, 2e9))).toEqual([])
    expect(concernsOf(aSample(), later(2 * day, -2e9))).toEqual([])
    expect(concernsOf(aSample(), aSample({ sampledAt: plus(start, 2 * day), diskFreeBytes: null }))).toEqual(
      [],
    )
  })
})

describe('the indexes', () => {
  const later = (afterMs: number, tables: Counters['tables'] = {}) =>
    aSample({ sampledAt: plus(start, afterMs), counters: { ...noCounts, tables } })
  const index = { table: 'market_data', index: 'idx_market_data_timestamp', bytes: 2e9, scans: 0 }
  const facts = (
    last: DatabaseSample,
    parts: Partial<Parameters<typeof indexConcerns>[0]['usage']> = {},
  ) => ({
    usage: { unused: [index], countedFrom: undefined, ...parts },
    kept: [later(0, before), last],
    ofDay: [later(0, before), last],
  })
  const before = { ohlcv_data: [10, 5_000, 1_000_000], coins: [900, 10, 9_000] } as const

  test('one that nothing has used for a day is a concern when it is large', () => {
    expect(indexConcerns(facts(later(day)), limits)).toEqual([
      {
        key: 'database.unused-index idx_market_data_timestamp',
        message: expect.stringMatching(/takes 2,000 MB: drop it, or raise monitoring\.unusedIndexBytes/),
      },
    ])
    const small = { ...index, bytes: limits.unusedIndexBytes - 1 }
    expect(indexConcerns(facts(later(day), { unused: [small] }), limits)).toEqual([])
  })

  test('nothing is said of them before a day has been watched, or counted anew', () => {
    expect(indexConcerns(facts(later(20 * hour)), limits)).toEqual([])
    expect(indexConcerns(facts(later(day), { countedFrom: plus(start, hour) }), limits)).toEqual([])
  })

  test.for([
    ['mostly from end to end', [210, 5_100, 61_000_000], ['database.missing-index ohlcv_data']],
    ['more often through an index', [210, 5_300, 61_000_000], []],
    ['seldom', [60, 5_001, 61_000_000], []],
    ['with few rows each time', [210, 5_100, 3_000_000], []],
    ['anew, for its leaves have gone', [210, 100, 61_000_000], []],
  ] as const)('a table read %s', ([, after, keys]) => {
    const last = later(day, { ...before, ohlcv_data: after })
    expect(indexConcerns(facts(last, { unused: [] }), limits).map(({ key }) => key)).toEqual(keys)
  })

  test('a table that an index seems to be missing on is reported with how much is read for want of it', () => {
    const last = later(day, { ohlcv_data: [210, 5_100, 61_000_000] })
    expect(indexConcerns(facts(last, { unused: [] }), limits)[0]?.message).toMatch(
      /^ohlcv_data was read from end to end 200 times in a day, 300,000 rows each time, .*`beacon doctor`/,
    )
  })
})
