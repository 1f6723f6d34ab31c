import { readFileSync } from 'node:fs'
import type { HttpAnswer } from '../../src/http/request.ts'
import { type Instant, toInstant } from '../../src/market/instant.ts'
import type { CandleQuery } from '../../src/sources/source.ts'

/** One recorded body, character for character. */
export const recorded = (name: string): string =>
  readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8').trim()

export const at = (iso: string): Instant => toInstant(Date.parse(iso))

export const anAnswer = (status: number, text: string, headers: Record<string, string> = {}): HttpAnswer => ({
  status,
  headers,
  text,
  answeredAt: at('2024-03-01T12:00:00Z'),
})

/** What a source's contract allows a request to say. */
export type Contract = Readonly<{ path: string; required: readonly string[]; allowed: readonly string[] }>

type Recording = Readonly<{ body: string; rows: number; contract: Contract }>

/** What the conformance sentences need to know of a source: a new one brings an entry. */
export type Recordings = Readonly<{
  /** Every body the source answers an error with. */
  errors: readonly string[]
  candles?: Recording & Readonly<{ query: CandleQuery; first: Readonly<Record<string, string | number>> }>
  listing?: Recording & Readonly<{ markets: readonly string[] }>
  prices?: Recording & Readonly<{ markets: readonly string[]; first: Readonly<Record<string, unknown>> }>
}>

export const recordings: Readonly<Record<string, Recordings>> = {
  binance: {
    errors: [recorded('binance/error_invalid_symbol')],
    candles: {
      body: recorded('binance/klines_btcusdt_1h_page1'),
      rows: 1_000,
      query: {
        symbol: 'BTCUSDT',
        timeframe: '1h',
        range: { from: at('2020-04-30T21:00Z'), to: at('2020-06-11T13:00Z') },
        asOf: at('2020-07-01'),
      },
      first: {
        openTime: at('2020-04-30T21:00Z'),
        open: '8819.15000000',
        high: '8849.80000000',
        low: '8734.50000000',
        close: '8761.92000000',
        volume: '3089.56054500',
      },
      contract: {
        path: '/api/v3/klines',
        required: ['symbol', 'interval', 'startTime', 'endTime', 'limit'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('binance/exchangeInfo_trimmed'),
      rows: 25,
      markets: ['ETHBTC', 'BTCUSDT'],
      contract: { path: '/api/v3/exchangeInfo', required: [], allowed: ['symbol'] },
    },
    prices: {
      body: recorded('binance/ticker24hr_all_trimmed'),
      rows: 6,
      markets: ['BTCUSDT', 'ETHUSDT'],
      first: {
        market: 'ETHBTC',
        timestamp: 1_730_439_017_452,
        price: '0.03606000',
        change24h: '-1.502',
        volume24h: '1211.29369168',
      },
      contract: { path: '/api/v3/ticker/24hr', required: ['symbols'], allowed: [] },
    },
  },
  coingecko: {
    errors: [recorded('coingecko/error_429'), '{"error":"coin not found"}'],
    prices: {
      body: recorded('coingecko/markets_2026'),
      rows: 1,
      markets: ['bitcoin', 'ethereum'],
      first: {
        market: 'bitcoin',
        price: '77671',
        marketCap: '1555886872303',
        volume24h: '33235034316',
        change24h: '-0.95302',
        circulatingSupply: '20030493.0',
        maxSupply: '21000000.0',
        rank: 1,
      },
      contract: {
        path: '/api/v3/coins/markets',
        required: ['vs_currency', 'ids'],
        allowed: ['per_page', 'page', 'precision'],
      },
    },
  },
}
