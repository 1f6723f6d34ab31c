import { describe, expect, test } from 'vitest'
import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { jobIdOf } from '../../src/queue/job-id.ts'
import { names } from '../support/names.ts'

const pairs = names.flatMap((first) => names.map((second) => [first, second] as const))

describe('the id of a job', () => {
  test.each(names)('can be made of %s', (name) => {
    expect(jobIdOf('backfill', name)).toMatch(/^[^:/?#%\s]+$/u)
  })

  test('is another for each two names', () => {
    expect(new Set(pairs.map((pair) => jobIdOf(...pair))).size).toBe(pairs.length)
    expect(jobIdOf('a,b', 'c')).not.toBe(jobIdOf('a', 'b,c'))
    expect(jobIdOf('~2c')).not.toBe(jobIdOf(','))
  })

  test('is no longer than what runs keep of it, and still another for each two names', () => {
    const long = ['🚀', '🌕'].map((last) => jobIdOf('backfill', '🚀'.repeat(49) + last, '<'.repeat(50), '1m'))
    expect(long.map((id) => id.length <= 255 && id.isWellFormed())).toEqual([true, true])
    expect(long[0]).not.toBe(long[1])
  })

  test('of usual names can be read', () => {
    const [from, to] = ['2024-01-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z']
    const chunk = {
      source: 'binance',
      symbol: 'BTCUSDT',
      coinId: 'bitcoin',
      timeframe: '1m',
      from,
      to,
    } as const
    expect(backfillCandles.idOf?.(chunk)).toBe(
      'backfill,binance,BTCUSDT,bitcoin,1m,1704067200000-1706745600000',
    )
    expect(backfillCandles.idOf?.({ ...chunk, source: 'ccxt:bitvavo', symbol: 'BTC/EUR' })).toBe(
      'backfill,ccxt-bitvavo,BTC~2fEUR,bitcoin,1m,1704067200000-1706745600000',
    )
  })
})
