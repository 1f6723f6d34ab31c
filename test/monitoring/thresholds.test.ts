import { describe, expect, test } from 'vitest'
import type { DatabaseSample } from '../../drizzle/schema/monitoring.ts'
import { day, hour, minute, plus } from '../../src/market/instant.ts'
import { clockConcerns, databaseConcerns, indexConcerns } from '../../src/monitoring/thresholds.ts'
import { readSettings } from '../../src/settings.ts'
import { untilFullMs } from '../../src/store/until-full.ts'
import { start } from '../store/loading.ts'

const limits = readSettings({}).monitoring

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
  counters: { activeMs: 0, transactions: 0, blocksHit: 0, blocksRead: 0, indexScans: 0, tableScans: 0 },
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
  ] as const)('is a concern (%s) with its remedy', ([key, parts, sentence]) => {
    expect(concernsOf(aSample(parts))).toEqual([{ key, sentence: expect.stringMatching(sentence) }])
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
      { key: 'disk.filling', sentence: expect.stringContaining('in about 8 days') },
    ])
    expect(concernsOf(aSample(), later(hour, 2e9))).toEqual([])
    expect(concernsOf(aSample(), later(2 * day, -2e9))).toEqual([])
    expect(concernsOf(aSample(), aSample({ sampledAt: plus(start, 2 * day), diskFreeBytes: null }))).toEqual(
      [],
    )
  })
})

test('a clock is a concern when it is further from the database’s than allowed, either way', () => {
  expect(clockConcerns(4_000, limits)).toEqual([])
  expect(clockConcerns(minute, limits)).toEqual([
    { key: 'clock.skew', sentence: expect.stringContaining('60 s ahead of') },
  ])
  expect(clockConcerns(-minute, limits)[0]?.sentence).toContain('60 s behind')
})
