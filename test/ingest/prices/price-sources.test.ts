import { describe, expect, test } from 'vitest'
import { nextPriceRequests, priceMarketsOf } from '../../../src/ingest/prices/price-sources.ts'
import { toInstant } from '../../../src/market/instant.ts'
import type { Coin } from '../../../src/store/coins.ts'

const aCoin = (id: string, ...markets: readonly (readonly [string, string])[]): Coin => ({
  id,
  symbol: id.toUpperCase(),
  name: id,
  markets: markets.map(([source, symbol], preference) => ({
    coinId: id,
    source,
    symbol,
    preference,
    trackedFrom: toInstant(0),
  })),
})

const marketsOf = (coin: Coin) => priceMarketsOf(coin).map(({ source, symbol }) => `${source.id}:${symbol}`)

describe('where a price can be had', () => {
  test('is CoinGecko, then CoinPaprika, then the exchanges in the order of the coin', () => {
    const coin = aCoin(
      'bitcoin',
      ['kraken', 'XXBTZUSD'],
      ['coinpaprika', 'btc-bitcoin'],
      ['binance', 'BTCUSDT'],
      ['okx', 'BTC-USDT'],
    )
    expect(marketsOf(coin)).toEqual([
      'coingecko:bitcoin',
      'coinpaprika:btc-bitcoin',
      'kraken:XXBTZUSD',
      'binance:BTCUSDT',
      'okx:BTC-USDT',
    ])
  })

  test('is CoinGecko by its own id, whatever it is called elsewhere', () => {
    expect(marketsOf(aCoin('bitcoin', ['coingecko', 'another']))).toEqual(['coingecko:bitcoin'])
  })

  test('is no source that this version does not know', () => {
    expect(marketsOf(aCoin('bitcoin', ['mtgox', 'BTCUSD'], ['toString', 'BTCUSD']))).toEqual([
      'coingecko:bitcoin',
    ])
  })

  test.each([
    ['binance', 'BTCFDUSD'],
    ['coinbase', 'BTC-USD'],
    ['bitstamp', 'btcusd'],
    ['bitfinex', 'tBTCUST'],
    ['bitfinex', 'tDOGE:USD'],
    ['gateio', 'BTC_USDC'],
  ])('is %s with %s: that is a dollar', (source, symbol) => {
    expect(marketsOf(aCoin('bitcoin', [source, symbol]))).toContain(`${source}:${symbol}`)
  })

  test.each([
    ['binance', 'ETHBTC'],
    ['kraken', 'XXBTZEUR'],
    ['binance', 'USDTTRY'],
    ['okx', 'BTC-UST'],
    ['bitstamp', 'btcgbp'],
  ])('is not %s with %s: that is no dollar', (source, symbol) => {
    expect(marketsOf(aCoin('bitcoin', [source, symbol]))).toEqual(['coingecko:bitcoin'])
  })
})

describe('the next questions', () => {
  const requestsOf = (...coins: readonly Coin[]) =>
    nextPriceRequests(new Map(coins.map((coin) => [coin.id, priceMarketsOf(coin).slice(1)]))).map(
      ({ source, coinIdsOf }) => [source.id, Object.fromEntries(coinIdsOf)],
    )

  test('are one for each source, with the coins whose best one it is', () => {
    expect(
      requestsOf(
        aCoin('bitcoin', ['binance', 'BTCUSDT'], ['okx', 'BTC-USDT']),
        aCoin('ethereum', ['okx', 'ETH-USDT'], ['binance', 'ETHUSDT']),
        aCoin('ripple', ['binance', 'XRPUSDT']),
        aCoin('nowhere'),
      ),
    ).toEqual([
      ['binance', { BTCUSDT: ['bitcoin'], XRPUSDT: ['ripple'] }],
      ['okx', { 'ETH-USDT': ['ethereum'] }],
    ])
  })

  test('ask a market that two coins share once, for both', () => {
    expect(requestsOf(aCoin('wbtc', ['binance', 'BTCUSDT']), aCoin('btcb', ['binance', 'BTCUSDT']))).toEqual([
      ['binance', { BTCUSDT: ['wbtc', 'btcb'] }],
    ])
  })

  test('are none when no market is left', () => {
    expect(requestsOf(aCoin('nowhere'))).toEqual([])
  })
})
