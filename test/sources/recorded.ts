import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { HttpAnswer } from '../../src/http/request.ts'
import type { CandleQuery } from '../../src/sources/source.ts'
import { at } from '../support/at.ts'

/** One recorded body, character for character. */
export const recorded = (name: string): string =>
  readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8').trim()

export { at }

/** A row without a time: it concerns no candle in particular. */
export const undated = { raw: expect.anything(), flaw: expect.stringMatching(/not a time/) }

export const anAnswer = (status: number, text: string, headers: Record<string, string> = {}): HttpAnswer => ({
  status,
  headers,
  text,
  answeredAt: at('2024-03-01T12:00:00Z'),
})

/** What a source's contract allows a request to say; its path is a pattern where the timeframe stands in it. */
export type Contract = Readonly<{
  path: string | RegExp
  required: readonly string[]
  allowed: readonly string[]
}>

type Recording = Readonly<{ body: string; rows: number; contract: Contract }>

/** What the conformance sentences need to know of a source: a new one brings an entry. */
export type Recordings = Readonly<{
  /** Every body the source answers an error with. */
  errors: readonly string[]
  candles?: Recording &
    Readonly<{
      query: CandleQuery
      first: Readonly<Record<string, string | number>>
      /** How the source says that it has none; an empty list where it is left out. */
      empty?: string
      /** How many of the rows speak of intervals without trades. */
      quiet?: number
    }>
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
      contract: { path: '/api/v3/exchangeInfo', required: [], allowed: ['symbol', 'showPermissionSets'] },
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
      contract: { path: '/api/v3/ticker/24hr', required: ['symbols', 'symbolStatus'], allowed: [] },
    },
  },
  // Files alone, which are not asked for as candles, listing or prices.
  'binance-archive': { errors: ['<Error><Code>NoSuchKey</Code></Error>'] },
  coinbase: {
    errors: [recorded('coinbase/error_not_found')],
    candles: {
      body: recorded('coinbase/candles_btceur_1d_2021'),
      rows: 7,
      query: {
        symbol: 'BTC-EUR',
        timeframe: '1d',
        range: { from: at('2021-01-01'), to: at('2021-01-08') },
        asOf: at('2021-01-08T00:00:10Z'),
      },
      first: {
        openTime: at('2021-01-07'),
        open: '29818.73',
        high: '32900',
        low: '29516.98',
        close: '32120.19',
        volume: '5957.46980324',
      },
      contract: {
        path: '/products/BTC-EUR/candles',
        required: ['granularity', 'start', 'end'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('coinbase/products_2021'),
      rows: 162,
      markets: ['BTC-USD', 'ETH-EUR'],
      contract: { path: '/products', required: [], allowed: [] },
    },
    prices: {
      body: recorded('coinbase/stats_ethusd_docs'),
      rows: 1,
      markets: ['ETH-USD'],
      first: {
        market: 'ETH-USD',
        timestamp: at('2024-03-01T12:00Z'),
        price: '201.68000000',
        change24h: '1.8740',
      },
      contract: { path: '/products/ETH-USD/stats', required: [], allowed: [] },
    },
  },
  kraken: {
    errors: [recorded('kraken/error_unknown_pair')],
    candles: {
      body: recorded('kraken/ohlc_xbtusd_1m_2017'),
      rows: 720,
      quiet: 17,
      query: {
        symbol: 'XXBTZUSD',
        timeframe: '1m',
        range: { from: at('2017-08-10T22:02Z'), to: at('2017-08-11T10:01Z') },
        asOf: at('2017-08-11T10:01:30Z'),
      },
      first: {
        openTime: at('2017-08-10T22:02Z'),
        open: '3449.992',
        high: '3449.999',
        low: '3449.992',
        close: '3449.999',
        volume: '1.01200000',
      },
      empty: '{"error":[],"result":{"XXBTZUSD":[],"last":0}}',
      contract: { path: '/0/public/OHLC', required: ['pair', 'interval', 'since'], allowed: [] },
    },
    listing: {
      body: recorded('kraken/assetpairs_2021'),
      rows: 293,
      markets: ['XXBTZUSD', 'XBTUSDT'],
      contract: { path: '/0/public/AssetPairs', required: [], allowed: ['pair'] },
    },
    prices: {
      body: recorded('kraken/ticker_xbteur_old'),
      rows: 1,
      markets: ['XXBTZEUR'],
      first: { market: 'XXBTZEUR', timestamp: at('2024-03-01T12:00Z'), price: '560.87711' },
      contract: { path: '/0/public/Ticker', required: [], allowed: [] },
    },
  },
  okx: {
    errors: [recorded('okx/error_50011'), '{"code":"51001","msg":"No such instrument.","data":[]}'],
    candles: {
      body: recorded('okx/candles_btcusdt_1h_2024'),
      rows: 4,
      query: {
        symbol: 'BTC-USDT',
        timeframe: '1h',
        range: { from: at('2024-01-16T16:00Z'), to: at('2024-01-16T20:00Z') },
        asOf: at('2024-01-16T20:00:02Z'),
      },
      first: {
        openTime: at('2024-01-16T19:00Z'),
        open: '43016',
        high: '43183.8',
        low: '42946',
        close: '43169.7',
        volume: '404.74017381',
      },
      empty: '{"code":"0","msg":"","data":[]}',
      contract: {
        path: '/api/v5/market/history-candles',
        required: ['instId', 'bar', 'before', 'after', 'limit'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('okx/instruments_spot_2025'),
      rows: 5,
      markets: ['BTC-USD', 'ETH-USD'],
      contract: { path: '/api/v5/public/instruments', required: ['instType'], allowed: ['instId'] },
    },
    prices: {
      body: recorded('okx/tickers_docshape'),
      rows: 2,
      markets: ['BTC-USDT'],
      first: {
        market: 'LTC-USD-SWAP',
        timestamp: 1_597_026_383_085,
        price: '9999.99',
        change24h: '11.1110',
      },
      contract: { path: '/api/v5/market/tickers', required: ['instType'], allowed: [] },
    },
  },
  bybit: {
    errors: [recorded('bybit/error_10001_symbol')],
    candles: {
      body: recorded('bybit/kline_btcusdt_1h_2024'),
      rows: 5,
      query: {
        symbol: 'BTCUSDT',
        timeframe: '1h',
        range: { from: at('2024-05-08T10:00Z'), to: at('2024-05-08T15:00Z') },
        asOf: at('2024-06-19'),
      },
      first: {
        openTime: at('2024-05-08T14:00Z'),
        open: '62440.14',
        high: '62841.64',
        low: '62160.72',
        close: '62564.68',
        volume: '706.187244',
      },
      empty: '{"retCode":0,"retMsg":"OK","result":{"category":"spot","symbol":"BTCUSDT","list":[]},"time":1}',
      contract: {
        path: '/v5/market/kline',
        required: ['category', 'symbol', 'interval', 'start', 'end', 'limit'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('bybit/instruments_spot_two'),
      rows: 2,
      markets: ['BTCUSDT', 'ETHUSDT'],
      contract: { path: '/v5/market/instruments-info', required: ['category'], allowed: ['symbol'] },
    },
    prices: {
      body: recorded('bybit/tickers_spot_one'),
      rows: 1,
      markets: ['BTCUSDT'],
      first: {
        market: 'BTCUSDT',
        timestamp: 1_673_859_087_947,
        price: '20533.13',
        change24h: '0.68',
        volume24h: '243765620.65899866',
      },
      contract: { path: '/v5/market/tickers', required: ['category'], allowed: [] },
    },
  },
  kucoin: {
    errors: [recorded('kucoin/error_bad_type')],
    candles: {
      body: recorded('kucoin/candles_btcusdt_1h_2026_head'),
      rows: 8,
      query: {
        symbol: 'BTC-USDT',
        timeframe: '1h',
        range: { from: at('2026-09-01T23:00Z'), to: at('2026-09-02T07:00Z') },
        asOf: at('2026-09-02T06:10Z'),
      },
      first: {
        openTime: at('2026-09-02T06:00Z'),
        open: '77625',
        high: '77689',
        low: '77625',
        close: '77674.6',
        volume: '7.04447437',
      },
      empty: '{"code":"200000","data":[]}',
      contract: {
        path: '/api/v1/market/candles',
        required: ['symbol', 'type', 'startAt', 'endAt'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('kucoin/symbols_v2_docs'),
      rows: 1,
      markets: ['BTC-USDT'],
      contract: { path: '/api/v2/symbols', required: [], allowed: [] },
    },
    prices: {
      body: recorded('kucoin/alltickers_docs'),
      rows: 1,
      markets: ['BTC-USDT'],
      first: {
        market: 'BTC-USDT',
        timestamp: 1_729_173_207_043,
        price: '67193',
        change24h: '-0.14',
        volume24h: '124068431.06726933',
      },
      contract: { path: '/api/v1/market/allTickers', required: [], allowed: [] },
    },
  },
  bitstamp: {
    errors: [
      recorded('bitstamp/error_maintenance'),
      '{"status":"error","reason":{"__all__":["Invalid step."]},"code":"400.001"}',
    ],
    candles: {
      body: recorded('bitstamp/ohlc_btcusd_1h_2026'),
      rows: 5,
      query: {
        symbol: 'btcusd',
        timeframe: '1h',
        range: { from: at('2026-09-02T02:00Z'), to: at('2026-09-02T07:00Z') },
        asOf: at('2026-09-02T06:10Z'),
      },
      first: {
        openTime: at('2026-09-02T02:00Z'),
        open: '76972.14',
        high: '77283.00',
        low: '76901.09',
        close: '77275.58',
        volume: '108.11924068',
      },
      empty: '{"data":{"pair":"BTC/USD","ohlc":[]}}',
      contract: {
        path: '/api/v2/ohlc/btcusd/',
        required: ['step', 'limit'],
        allowed: ['start', 'end', 'exclude_current_candle'],
      },
    },
    listing: {
      body: recorded('bitstamp/trading_pairs_info_gct'),
      rows: 103,
      markets: ['btcusd', 'ethusdt', 'gbpusd'],
      contract: { path: '/api/v2/markets/', required: [], allowed: [] },
    },
    prices: {
      body: recorded('bitstamp/ticker_btcusd_2017'),
      rows: 1,
      markets: ['btcusd'],
      first: { market: 'btcusd', timestamp: 1_643_640_186_000, price: '2211.00', change24h: '13.57' },
      contract: { path: '/api/v2/ticker/btcusd/', required: [], allowed: [] },
    },
  },
  bitfinex: {
    errors: [
      recorded('bitfinex/error_symbol'),
      '["error",11010,"ratelimit: error"]',
      '{"error":"ERR_RATE_LIMIT"}',
    ],
    candles: {
      body: recorded('bitfinex/candles_btcusd_1h_2026'),
      rows: 5,
      query: {
        symbol: 'tBTCUSD',
        timeframe: '1h',
        range: { from: at('2026-09-02T02:00Z'), to: at('2026-09-02T07:00Z') },
        asOf: at('2026-09-02T06:10Z'),
      },
      first: {
        openTime: at('2026-09-02T06:00Z'),
        open: '77710',
        high: '77777',
        low: '77704',
        close: '77770',
        volume: '0.78071963',
      },
      contract: {
        path: /^\/v2\/candles\/trade:[0-9]+[mhD]:tBTCUSD\/hist$/,
        required: ['start', 'end', 'limit', 'sort'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('bitfinex/pairs_2021'),
      rows: 290,
      markets: ['tBTCUSD', 'tBTCUST', 'tAVAX:USD'],
      contract: { path: '/v2/conf/pub:list:pair:exchange', required: [], allowed: [] },
    },
    prices: {
      body: recorded('bitfinex/tickers_mixed'),
      rows: 1,
      markets: ['tBTCUSD'],
      first: { market: 'tBTCUSD', price: '7381.2', change24h: '1.75' },
      contract: { path: '/v2/tickers', required: ['symbols'], allowed: [] },
    },
  },
  gateio: {
    errors: [recorded('gateio/error_pair')],
    candles: {
      body: recorded('gateio/candlesticks_btcusdt_1h_2023_7col'),
      rows: 4,
      query: {
        symbol: 'BTC_USDT',
        timeframe: '1h',
        range: { from: at('2023-05-27T06:00Z'), to: at('2023-05-27T10:00Z') },
        asOf: at('2023-05-27T10:00:05Z'),
      },
      first: {
        openTime: at('2023-05-27T06:00Z'),
        open: '26728.1',
        high: '26736.1',
        low: '26718.4',
        close: '26718.4',
        volume: '4.856410775',
      },
      contract: {
        path: '/api/v4/spot/candlesticks',
        required: ['currency_pair', 'interval', 'from', 'to'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('gateio/currency_pairs_few'),
      rows: 3,
      markets: ['BTC_USDT', 'CHZ_USDT', 'ETH_USDT'],
      contract: { path: '/api/v4/spot/currency_pairs', required: [], allowed: [] },
    },
    prices: {
      body: recorded('gateio/tickers_etf'),
      rows: 1,
      markets: ['BTC3L_USDT'],
      first: {
        market: 'BTC3L_USDT',
        price: '2.46140352',
        change24h: '-8.91',
        volume24h: '1602221.66468375534639404191',
      },
      contract: { path: '/api/v4/spot/tickers', required: [], allowed: [] },
    },
  },
  cryptocom: {
    errors: [
      recorded('cryptocom/error_bad_request'),
      '{"id":-1,"method":"public/get-tickers","code":"42901","message":"TOO_MANY_REQUESTS"}',
    ],
    candles: {
      body: recorded('cryptocom/candlestick_cloudusd_15m_latest'),
      rows: 300,
      query: {
        symbol: 'CLOUD_USD',
        timeframe: '15m',
        range: { from: at('2026-08-13T19:00Z'), to: at('2026-08-16T22:00Z') },
        asOf: at('2026-08-16T21:46:40Z'),
      },
      first: {
        openTime: at('2026-08-13T19:00Z'),
        open: '0.02111',
        high: '0.02111',
        low: '0.02111',
        close: '0.02111',
        volume: '0',
      },
      empty:
        '{"id":-1,"method":"public/get-candlestick","code":0,"result":{"interval":"15m","data":[],"instrument_name":"CLOUD_USD"}}',
      contract: {
        path: '/exchange/v1/public/get-candlestick',
        required: ['instrument_name', 'timeframe', 'count', 'start_ts', 'end_ts'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('cryptocom/instruments_2026_sample'),
      rows: 26,
      markets: ['1INCH_USD', 'XRP_USDT'],
      contract: { path: '/exchange/v1/public/get-instruments', required: [], allowed: [] },
    },
    prices: {
      body: recorded('cryptocom/tickers_2026_even'),
      rows: 155,
      markets: ['BTC_USD'],
      first: {
        market: 'ACH_USD',
        timestamp: 1_786_916_797_918,
        price: '0.004142',
        change24h: '-1.85',
        volume24h: '1524.09',
      },
      contract: { path: '/exchange/v1/public/get-tickers', required: [], allowed: [] },
    },
  },
  htx: {
    errors: [recorded('htx/error_invalid_symbol')],
    candles: {
      body: recorded('htx/kline_btcusdt_5min_2021'),
      rows: 2,
      query: {
        symbol: 'btcusdt',
        timeframe: '5m',
        range: { from: at('2021-08-24T01:35Z'), to: at('2021-08-24T01:40Z') },
        asOf: at('2021-08-24T01:40:47Z'),
      },
      first: {
        openTime: at('2021-08-24T01:40Z'),
        open: '49056.37',
        high: '49056.38',
        low: '49022.86',
        close: '49025.51',
        volume: '3.946281917950917',
      },
      empty: '{"ch":"market.btcusdt.kline.5min","status":"ok","ts":1629769247172,"data":[]}',
      contract: { path: '/market/history/kline', required: ['symbol', 'period', 'size'], allowed: [] },
    },
    listing: {
      body: recorded('htx/symbols_v2_one'),
      rows: 1,
      markets: ['ethusdt'],
      contract: { path: '/v2/settings/common/symbols', required: [], allowed: [] },
    },
    prices: {
      body: recorded('htx/tickers_docs'),
      rows: 2,
      markets: ['btcusdt'],
      first: {
        market: 'smtusdt',
        timestamp: 1_629_789_355_531,
        price: '0.00468',
        volume24h: '170526.0643855023',
      },
      contract: { path: '/market/tickers', required: [], allowed: [] },
    },
  },
  mexc: {
    errors: [recorded('mexc/error_invalid_symbol')],
    candles: {
      body: recorded('mexc/klines_btcusdt_1m_2026'),
      rows: 5,
      query: {
        symbol: 'BTCUSDT',
        timeframe: '1m',
        range: { from: at('2026-09-02T06:00Z'), to: at('2026-09-02T06:05Z') },
        asOf: at('2026-09-02T06:10Z'),
      },
      first: {
        openTime: at('2026-09-02T06:00Z'),
        open: '77645.6',
        high: '77668.51',
        low: '77637.67',
        close: '77668.51',
        volume: '1.673022',
      },
      contract: {
        path: '/api/v3/klines',
        required: ['symbol', 'interval', 'startTime', 'endTime', 'limit'],
        allowed: [],
      },
    },
    listing: {
      body: recorded('mexc/exchangeInfo_small'),
      rows: 1,
      markets: ['BROCKUSDT'],
      contract: { path: '/api/v3/exchangeInfo', required: [], allowed: ['symbol'] },
    },
    prices: {
      body: recorded('mexc/ticker24hr_two'),
      rows: 2,
      markets: ['BTCUSDT'],
      first: {
        market: 'BTCUSDT',
        timestamp: 1_641_349_582_808,
        price: '46263.71',
        change24h: '0.400048',
      },
      contract: { path: '/api/v3/ticker/24hr', required: [], allowed: [] },
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
        rank: '1',
      },
      contract: {
        path: '/api/v3/coins/markets',
        required: ['vs_currency', 'ids'],
        allowed: ['per_page', 'page', 'precision'],
      },
    },
  },
  coinpaprika: {
    errors: [
      recorded('coinpaprika/error_404'),
      '{"error":"you have reached maximum request limit"}',
      '{"error":"payment required"}',
    ],
    prices: {
      body: recorded('coinpaprika/tickers_2024_three'),
      rows: 3,
      markets: ['btc-bitcoin', 'eth-ethereum'],
      first: {
        market: 'btc-bitcoin',
        timestamp: at('2024-06-29T13:27:36Z'),
        price: '61045.7373319069',
        volume24h: '19017290417.844',
        change24h: '-0.31',
        marketCap: '1203719139164',
        maxSupply: '21000000',
        rank: '1',
      },
      contract: { path: '/v1/tickers', required: ['quotes'], allowed: [] },
    },
  },
}
