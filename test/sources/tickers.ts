import { type CheckedPrice, checkPrices } from '../../src/market/coin-price-check.ts'
import { hour, type Instant, second, toIso } from '../../src/market/instant.ts'
import { type Json, toJsonText } from '../../src/replay/answer.ts'
import type { SourceId } from '../../src/settings/source-ids.ts'
import { sources } from '../../src/sources/catalog.ts'
import { at } from './recorded.ts'

/** The fields of one ticker, whatever its source calls them. */
export type TickerFields = Readonly<{
  price: Json
  change: Json
  volume: Json
  /** Trades or coins of the last 24 hours. */
  traded: Json
  /** When the price was one; the sources without such a field leave it out. */
  time: Instant
}>

type Writer = Readonly<{
  market: string
  /** The answer to a request for this market alone. */
  body(fields: TickerFields): Json
  /** What it has of the fields that some lack. */
  has: readonly (keyof TickerFields)[]
}>

const iso = (time: Instant) => toIso(time)

/** How each source writes the ticker of one market. */
export const writers: Readonly<Partial<Record<SourceId, Writer>>> = {
  binance: {
    market: 'BTCUSDT',
    body: ({ price, change, volume, traded, time }) => [
      {
        symbol: 'BTCUSDT',
        lastPrice: price,
        priceChangePercent: change,
        quoteVolume: volume,
        count: traded,
        closeTime: time,
      },
    ],
    has: ['change', 'volume', 'traded', 'time'],
  },
  coinbase: {
    market: 'BTC-USD',
    body: ({ price, traded }) => ({ open: '60000', last: price, volume: traded }),
    has: ['traded'],
  },
  kraken: {
    market: 'XXBTZUSD',
    body: ({ price, traded }) => ({ error: [], result: { XXBTZUSD: { c: [price, '1'], t: [0, traded] } } }),
    has: ['traded'],
  },
  okx: {
    market: 'BTC-USDT',
    body: ({ price, volume, traded, time }) => ({
      code: '0',
      data: [
        {
          instType: 'SPOT',
          instId: 'BTC-USDT',
          last: price,
          open24h: '60000',
          volCcy24h: volume,
          vol24h: traded,
          ts: String(time),
        },
      ],
    }),
    has: ['volume', 'traded', 'time'],
  },
  bybit: {
    market: 'BTCUSDT',
    body: ({ price, change, volume, traded, time }) => ({
      retCode: 0,
      result: {
        category: 'spot',
        list: [
          {
            symbol: 'BTCUSDT',
            lastPrice: price,
            price24hPcnt: change,
            turnover24h: volume,
            volume24h: traded,
          },
        ],
      },
      time,
    }),
    has: ['change', 'volume', 'traded', 'time'],
  },
  kucoin: {
    market: 'BTC-USDT',
    body: ({ price, change, volume, traded, time }) => ({
      code: '200000',
      data: {
        time,
        ticker: [{ symbol: 'BTC-USDT', last: price, changeRate: change, volValue: volume, vol: traded }],
      },
    }),
    has: ['change', 'volume', 'traded', 'time'],
  },
  bitstamp: {
    market: 'btcusd',
    body: ({ price, change, traded, time }) => [
      {
        pair: 'BTC/USD',
        last: price,
        percent_change_24: change,
        volume: traded,
        timestamp: String(time / second),
      },
    ],
    has: ['change', 'traded', 'time'],
  },
  bitfinex: {
    market: 'tBTCUSD',
    body: ({ price, change, traded }) => [['tBTCUSD', 1, 1, 1, 1, 0, change, price, traded, 1, 1]],
    has: ['change', 'traded'],
  },
  gateio: {
    market: 'BTC_USDT',
    body: ({ price, change, volume, traded }) => [
      {
        currency_pair: 'BTC_USDT',
        last: price,
        change_percentage: change,
        quote_volume: volume,
        base_volume: traded,
      },
    ],
    has: ['change', 'volume', 'traded'],
  },
  cryptocom: {
    market: 'BTC_USD',
    body: ({ price, change, volume, traded, time }) => ({
      code: 0,
      result: { data: [{ i: 'BTC_USD', a: price, c: change, vv: volume, v: traded, t: time }] },
    }),
    has: ['change', 'volume', 'traded', 'time'],
  },
  htx: {
    market: 'btcusdt',
    body: ({ price, volume, traded, time }) => ({
      status: 'ok',
      ts: time,
      data: [{ symbol: 'btcusdt', close: price, vol: volume, amount: traded }],
    }),
    has: ['volume', 'traded', 'time'],
  },
  mexc: {
    market: 'BTCUSDT',
    body: ({ price, change, volume, traded, time }) => [
      {
        symbol: 'BTCUSDT',
        lastPrice: price,
        priceChangePercent: change,
        quoteVolume: volume,
        volume: traded,
        closeTime: time,
      },
    ],
    has: ['change', 'volume', 'traded', 'time'],
  },
  coingecko: {
    market: 'bitcoin',
    body: ({ price, change, volume, time }) => [
      {
        id: 'bitcoin',
        symbol: 'btc',
        name: 'Bitcoin',
        current_price: price,
        price_change_percentage_24h: change,
        total_volume: volume,
        last_updated: iso(time),
      },
    ],
    has: ['change', 'volume', 'time'],
  },
  coinpaprika: {
    market: 'btc-bitcoin',
    body: ({ price, change, volume, time }) => [
      {
        id: 'btc-bitcoin',
        last_updated: iso(time),
        quotes: { USD: { price, percent_change_24h: change, volume_24h: volume } },
      },
    ],
    has: ['change', 'volume', 'time'],
  },
}

export const now = at('2024-03-01T12:00:00Z')

const usual: TickerFields = { price: '62000.5', change: '0.01', volume: '1000', traded: '5', time: now }

/** What is made of the ticker with some of its fields written otherwise. */
export function decisionOn(id: SourceId, fields: Partial<TickerFields>): CheckedPrice | undefined {
  const writer = writers[id]
  const { prices } = sources[id] as { prices?: (typeof sources)['binance']['prices'] }
  if (!writer || !prices) throw new Error(`nothing known of the tickers of ${id}`)
  const text = toJsonText(writer.body({ ...usual, ...fields }))
  const rows = prices.parse(text, now, [writer.market])
  return checkPrices(rows, { now, staleAfterMs: hour })[0]
}
