import { describe, expect, expectTypeOf, test } from 'vitest'
import { trackedCoin } from '../../src/settings/schema.ts'
import {
  type AnySourceId,
  anySourceId,
  isCcxtSourceId,
  type QueueName,
  type SourceId,
} from '../../src/settings/source-ids.ts'
import { readEnvironment } from '../support/read-environment.ts'

test('the id of a source of ccxt is not taken as the name of a queue', () => {
  expectTypeOf<QueueName<AnySourceId>>().toEqualTypeOf<SourceId>()
  expectTypeOf<QueueName<string>>().toEqualTypeOf<string>()
})

describe('the id of a source', () => {
  test('is one of ours, or an exchange by its name in ccxt', () => {
    for (const id of ['binance', 'binance-archive', 'ccxt:bitvavo', 'ccxt:p2b'])
      expect(anySourceId.safeParse(id).success, id).toBe(true)
    for (const id of [
      'bitvavo',
      'ccxt',
      'ccxt:',
      'ccxt:a b',
      'ccxt:A',
      'ccxt:a:b',
      'toString',
      `ccxt:${'a'.repeat(41)}`,
    ])
      expect(anySourceId.safeParse(id).success, id).toBe(false)
    expect([isCcxtSourceId('ccxt:kraken'), isCcxtSourceId('kraken')]).toEqual([true, false])
  })

  test('names a market of a followed coin', () => {
    const coin = {
      id: 'bitcoin',
      symbol: 'BTC',
      name: 'Bitcoin',
      markets: { 'ccxt:bitvavo': 'BTC/EUR', binance: 'B' },
    }
    expect(trackedCoin.parse(coin)).toEqual(coin)
    expect(trackedCoin.safeParse({ ...coin, markets: { bitvavo: 'BTC-EUR' } }).success).toBe(false)
  })

  test('has a variable for its only host', () => {
    const { baseUrls } = readEnvironment({
      BINANCE_ARCHIVE_BASE_URL: 'http://127.0.0.1:1',
      CCXT_BITVAVO_BASE_URL: 'http://127.0.0.1:2/',
    })
    expect(baseUrls).toEqual({
      'binance-archive': 'http://127.0.0.1:1',
      'ccxt:bitvavo': 'http://127.0.0.1:2',
    })
    expect(() => readEnvironment({ CCXT_BITVAVO_BASE_URL: 'bitvavo' })).toThrow(
      /CCXT_BITVAVO_BASE_URL is not a URL/,
    )
  })
})
