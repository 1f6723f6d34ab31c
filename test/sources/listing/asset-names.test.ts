import ccxt from 'ccxt'
import { describe, expect, test } from 'vitest'
import { sources } from '../../../src/sources/catalog.ts'
import { assetOf } from '../../../src/sources/listing/asset-names.ts'
import type { ListedMarket } from '../../../src/sources/listing/listed-market.ts'
import { ownTickers } from '../../../src/sources/listing/own-tickers.ts'
import type { Source } from '../../../src/sources/source.ts'

/** ccxt's class for each of our sources. */
const inCcxt = {
  binance: ccxt.binance,
  coinbase: ccxt.coinbaseexchange,
  kraken: ccxt.kraken,
  okx: ccxt.okx,
  bybit: ccxt.bybit,
  kucoin: ccxt.kucoin,
  bitstamp: ccxt.bitstamp,
  bitfinex: ccxt.bitfinex,
  gateio: ccxt.gate,
  cryptocom: ccxt.cryptocom,
  htx: ccxt.htx,
  mexc: ccxt.mexc,
} as const
type Listing = keyof typeof inCcxt

describe.each(Object.keys(inCcxt) as Listing[])('the tickers of %s', (id) => {
  test('are the usual ones, or in doubt, wherever ccxt knows that they differ', () => {
    const known: Readonly<Record<string, string>> = new inCcxt[id]({}).commonCurrencies
    const unknown = Object.entries(known).filter(([own, usual]) => {
      const { ticker, mayBe } = assetOf(id, own)
      return mayBe === undefined && ticker !== usual
    })
    expect(unknown).toEqual([])
  })

  test('never stand for two coins at once', () => {
    const { usual = {}, another = {} } = ownTickers[id] ?? {}
    expect(Object.keys(usual).filter((own) => Object.hasOwn(another, own))).toEqual([])
  })

  test('are read so from its listing', () => {
    const { usual = {}, another = {} } = ownTickers[id] ?? {}
    const tickers = [...Object.keys(usual), ...Object.keys(another), 'XBT', 'BCHSV', 'DOT']
    const listed = listingOf(id, tickers)
    expect(listed.map(({ base, baseMayBe }) => ({ base, baseMayBe }))).toEqual(
      tickers.map((own) => ({ base: assetOf(id, own).ticker, baseMayBe: assetOf(id, own).mayBe })),
    )
  })
})

describe('the wrong coin', () => {
  test.each([
    ['bitfinex', 'WBT', 'WBTC'],
    ['bitfinex', 'WHBT', 'WBT'],
    ['bitfinex', 'OMN', 'OMNI'],
    ['bitfinex', 'OPX', 'OP'],
    ['bitfinex', 'ZKX', 'ZK'],
    ['bitfinex', 'LUNA', 'LUNC'],
    ['bitfinex', 'LUNA2', 'LUNA'],
    ['kraken', 'LUNA', 'LUNC'],
    ['mexc', 'GASNEO', 'GAS'],
    ['okx', 'XBT', 'BTC'],
  ])('on %s, %s is %s', (source, own, usual) => {
    expect(assetOf(source, own)).toEqual({ ticker: usual })
  })

  test.each([
    ['mexc', 'XBT'],
    ['mexc', 'GAS'],
    ['gateio', 'GTC'],
    ['htx', 'BIFI'],
    ['kucoin', 'ALT'],
  ])('on %s, %s is left to a person', (source, own) => {
    expect(assetOf(source, own)).toEqual({ ticker: own, mayBe: expect.any(String) })
  })

  test.each(['constructor', '__proto__', 'toString', ''])('%j is a ticker like any other', (own) => {
    expect(assetOf('bitfinex', own)).toEqual({ ticker: own })
    expect(assetOf('constructor', own)).toEqual({ ticker: own })
  })
})

/** A listing of these tickers against USDT, as the source words it. */
function listingOf(id: Listing, tickers: readonly string[]): ListedMarket[] {
  const source: Source = sources[id]
  return source.listing?.parse(JSON.stringify(bodies[id](tickers))) ?? []
}

const bodies: Readonly<Record<Listing, (tickers: readonly string[]) => unknown>> = {
  binance: (tickers) => ({
    symbols: tickers.map((own) => ({
      symbol: `${own}USDT`,
      status: 'TRADING',
      baseAsset: own,
      quoteAsset: 'USDT',
    })),
  }),
  coinbase: (tickers) =>
    tickers.map((own) => ({
      id: `${own}-USDT`,
      base_currency: own,
      quote_currency: 'USDT',
      status: 'online',
    })),
  kraken: (tickers) => ({
    error: [],
    result: Object.fromEntries(
      tickers.map((own) => [`${own}USDT`, { wsname: `${own}/USDT`, base: own, quote: 'USDT' }]),
    ),
  }),
  okx: (tickers) => ({
    code: '0',
    msg: '',
    data: tickers.map((own) => ({
      instType: 'SPOT',
      instId: `${own}-USDT`,
      baseCcy: own,
      quoteCcy: 'USDT',
      state: 'live',
    })),
  }),
  bybit: (tickers) => ({
    retCode: 0,
    retMsg: 'OK',
    time: 1_700_000_000_000,
    result: {
      nextPageCursor: '',
      category: 'spot',
      list: tickers.map((own) => ({
        symbol: `${own}USDT`,
        baseCoin: own,
        quoteCoin: 'USDT',
        status: 'Trading',
      })),
    },
  }),
  kucoin: (tickers) => ({
    code: '200000',
    data: tickers.map((own) => ({
      symbol: `${own}-USDT`,
      name: `${own}-USDT`,
      baseCurrency: own,
      quoteCurrency: 'USDT',
      enableTrading: true,
    })),
  }),
  bitstamp: (tickers) =>
    tickers.map((own) => ({
      name: `${own}/USDT`,
      market_symbol: `${own}usdt`.toLowerCase(),
      trading: 'Enabled',
    })),
  bitfinex: (tickers) => [tickers.map((own) => `${own}:UST`)],
  gateio: (tickers) =>
    tickers.map((own) => ({ id: `${own}_USDT`, base: own, quote: 'USDT', trade_status: 'tradable' })),
  cryptocom: (tickers) => ({
    id: -1,
    method: 'public/get-instruments',
    code: 0,
    result: {
      data: tickers.map((own) => ({
        symbol: `${own}_USDT`,
        inst_type: 'CCY_PAIR',
        base_ccy: own,
        quote_ccy: 'USDT',
        tradable: true,
      })),
    },
  }),
  htx: (tickers) => ({
    status: 'ok',
    ts: '1641870869718',
    full: 1,
    data: tickers.map((own) => ({
      sc: `${own}usdt`.toLowerCase(),
      bc: own.toLowerCase(),
      qc: 'usdt',
      bcdn: own,
      qcdn: 'USDT',
      state: 'online',
    })),
  }),
  mexc: (tickers) => ({
    symbols: tickers.map((own) => ({
      symbol: `${own}USDT`,
      status: '1',
      baseAsset: own,
      quoteAsset: 'USDT',
    })),
  }),
}
