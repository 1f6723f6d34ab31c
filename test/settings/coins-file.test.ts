import { describe, expect, test } from 'vitest'
import { readSettings } from '../../src/settings.ts'
import { isSourceId, sources } from '../../src/sources/catalog.ts'

const { coins } = readSettings({})

/** How each source spells a market of an asset; a new one is refused here until its form is written down. */
const forms: Readonly<Record<string, (ticker: string) => string>> = {
  binance: (ticker) => `${ticker}USDT`,
  coinbase: (ticker) => `${ticker}-USD`,
  // Its oldest assets have an X before their name, and its dollar then a Z.
  kraken: (ticker) => {
    const name = { BTC: 'XBT', DOGE: 'XDG' }[ticker] ?? ticker
    return ['BTC', 'ETH', 'XRP', 'LTC', 'XLM', 'ETC'].includes(ticker) ? `X${name}ZUSD` : `${name}USD`
  },
  okx: (ticker) => `${ticker}-USDT`,
  bybit: (ticker) => `${ticker}USDT`,
  kucoin: (ticker) => `${ticker}-USDT`,
  bitstamp: (ticker) => `${ticker.toLowerCase()}usd`,
  // Its names have three letters, or a colon behind them.
  bitfinex: (ticker) => {
    const name = { ATOM: 'ATO', ALGO: 'ALG', BCH: 'BCHN' }[ticker] ?? ticker
    return name.length > 3 ? `t${name}:USD` : `t${name}USD`
  },
  gateio: (ticker) => `${ticker}_USDT`,
  cryptocom: (ticker) => `${ticker}_USD`,
  htx: (ticker) => `${ticker.toLowerCase()}usdt`,
  mexc: (ticker) => `${ticker}USDT`,
}

describe('the coins that are shipped', () => {
  test('are thirty, and read from Binance first', () => {
    expect(coins).toHaveLength(30)
    expect(new Set(coins.map(({ symbol }) => symbol)).size).toBe(30)
    expect(coins.filter(({ markets }) => Object.keys(markets)[0] !== 'binance')).toEqual([])
  })

  test('have a market on every source that lists markets', () => {
    const named = new Set(coins.flatMap(({ markets }) => Object.keys(markets)))
    const listing = Object.values(sources).filter((source) => source.listing && isSourceId(source.id))
    expect(listing.map(({ id }) => id).filter((id) => !named.has(id))).toEqual([])
  })

  test('are spelt as each source spells them', () => {
    const misspelt = coins.flatMap(({ symbol, markets }) =>
      Object.entries(markets).filter(([source, market]) =>
        source === 'coinpaprika'
          ? !market.startsWith(`${symbol.toLowerCase()}-`)
          : forms[source]?.(symbol) !== market,
      ),
    )
    expect(misspelt).toEqual([])
  })

  test('never share a market', () => {
    const markets = coins.flatMap(({ markets: all }) =>
      Object.entries(all).map(([source, market]) => `${source}:${market}`),
    )
    expect(markets.filter((market, index) => markets.indexOf(market) !== index)).toEqual([])
  })
})
