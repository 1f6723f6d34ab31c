import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, describe, expect } from 'vitest'
import { readSettings } from '../../src/settings.ts'

const test = base.extend('path', async ({ task: _ }, { onCleanup }) => {
  const dir = await mkdtemp(join(tmpdir(), 'beacon-contradictions-'))
  onCleanup(() => rm(dir, { recursive: true }))
  return join(dir, 'mine.yaml')
})

describe('settings that cannot hold together', () => {
  test.for([
    ['database: { minConnections: 51 }', 'database.minConnections is 51, more than maxConnections (50)'],
    ['database: { maxConnections: 4 }', 'database.minConnections is 5, more than maxConnections (4)'],
    [
      'database: { lockTimeout: 30 s }',
      'database.lockTimeout is 30 s, not less than statementTimeout.answer (30 s), which ends the wait before',
    ],
    [
      'timeframes: { 1m: { history: 8 days } }',
      'timeframes.1m.history is 8 days, longer than keep (7 days): retention would delete what is fetched; lower history or raise keep',
    ],
    ['timeframes: { 5m: { keep: 6 days } }', 'timeframes.5m.history is 7 days, longer than keep (6 days)'],
    [
      'timeframes: { 1h: { history: 1 day } }',
      'timeframes.1h.history is 1 day: the view daily_price_summary needs the hours of 2 days',
    ],
    [
      'timeframes: { 1h: { history: 0 s, keep: 1 hour } }',
      'timeframes.1h.history is 0 s: the view daily_price_summary needs',
    ],
    ['candles: { absentAfter: 3 s }', 'candles.absentAfter is 3 s, not longer than settleDelay (3 s)'],
    ['candles: { settleDelay: 50 s, absentAfter: 20 s }', 'candles.absentAfter is 20 s, not longer than'],
    [
      'prices: { keep: 23 hours }',
      'prices.keep is 23 hours, shorter than 1 day: a day is rolled up as a whole',
    ],
    [
      'prices: { keep: 4 minutes, then: drop }',
      'prices.keep is 4 minutes, shorter than 5 minutes: no price would outlive the next',
    ],
    ['monitoring: { keep: 5 minutes }', 'monitoring.keep is 5 minutes, shorter than 1 hour'],
    [
      'retention: { ingest_runs: { keep: 1 hour } }',
      'retention.ingest_runs.keep is 1 hour, shorter than 2 days: which daily jobs have run is known from these rows',
    ],
    [
      'retention: { users: { by: created_at, keep: 90 days, then: drop } }',
      'retention.users cannot lose rows by age: it belongs to users, and its rows stay until they are removed there',
    ],
    [
      'retention: { trades: { by: executed_at, keep: 90 days, then: archive } }',
      'retention.trades cannot lose rows by age: it belongs to users',
    ],
    [
      'retention: { candle_coverage: { by: updated_at, keep: 90 days, then: drop } }',
      'retention.candle_coverage cannot lose rows by age: it is what beacon knows its work by',
    ],
    [
      'retention: { database_samples: { by: sampled_at, keep: 90 days, then: drop } }',
      'retention.database_samples cannot lose rows by age: it has its "keep" under monitoring',
    ],
    [
      'retention: { ohlcv_data_1h: { by: timestamp, keep: 90 days, then: drop } }',
      'retention.ohlcv_data_1h has its "keep" where its timeframe, or prices, are set',
    ],
    [
      'retention: { notifcations: { by: created_at, keep: 90 days, then: drop } }',
      'retention.notifcations is not a table that loses rows by age. Did you mean "notifications"?',
    ],
    [
      'retention: { constructor: { by: created_at, keep: 90 days, then: drop } }',
      'retention.constructor is not a table that loses rows by age.',
    ],
    [
      'retention: { notifications: { by: user_id } }',
      'retention.notifications.by has no time in a column "user_id". There is created_at, read_at',
    ],
  ] as const)('%s', async ([line, message], { path }) => {
    await writeFile(path, line)
    expect(() => readSettings({}, path)).toThrow(`${path}:1: ${message}`)
  })

  test('are found beside other mistakes, of other entries of the same section too', async ({ path }) => {
    await writeFile(
      path,
      [
        'timeframes:',
        '  1m: { history: 8 days }',
        '  5m: { keep: long }',
        'retention:',
        '  users: { by: created_at, keep: 1 day, then: drop }',
        '  ingest_runs: { keep: never }',
        'candles: { chunk: 1 }',
      ].join('\n'),
    )
    const read = () => readSettings({}, path)
    for (const part of [
      '5 settings are wrong:',
      `${path}:2: timeframes.1m.history is 8 days, longer than keep`,
      `${path}:3: timeframes.5m.keep is neither a duration`,
      `${path}:5: retention.users cannot lose rows by age`,
      `${path}:6: retention.ingest_runs.keep is neither a duration`,
      `${path}:7: candles.chunk is 1, and must be at least 100`,
    ])
      expect(read).toThrow(part)
  })

  test('are no longer any without the view, and with what is kept for ever', async ({ path }) => {
    await writeFile(
      path,
      'views: []\ntimeframes: { 1h: { history: 0 s }, 1m: { history: 365 days, keep: forever } }',
    )
    expect(readSettings({}, path).timeframes['1m']?.keep).toBeUndefined()
  })
})
