import { toInstant } from '../../market/instant.ts'
import type { SourceId } from '../../settings/source-ids.ts'
import type { Json } from '../answer.ts'
import { type Market, markets } from '../markets.ts'

/** A market of one source; `fields` are added to its listing. */
export type OddMarket = Market & Readonly<{ fields?: Readonly<Record<string, Json>> }>

const base = { quote: 'USDT', image: '', supply: { circulating: 1, total: 1, max: null } } as const
const bitcoin = { ...base, recording: 'BTCUSDT-1h-2021-2023.csv.gz', priceDecimals: 2, volumeDecimals: 6 }
const dogecoin = { ...base, recording: 'DOGEUSDT-1h-2021-2023.csv.gz', priceDecimals: 7, volumeDecimals: 1 }
const pepe = { ...base, recording: 'PEPEUSDT-15m-2023.csv.gz', priceDecimals: 8, volumeDecimals: 0 }

/** Gate reused a delisted symbol for another coin after three months. */
const reusedAt = toInstant(Date.UTC(2023, 8, 1, 8))
const silent = { from: toInstant(Date.UTC(2023, 5, 1)), to: reusedAt }

const odd: Readonly<Partial<Record<SourceId, readonly OddMarket[]>>> = {
  // Bitfinex: WBT is Wrapped Bitcoin, WHBT is WhiteBIT.
  bitfinex: [
    {
      ...bitcoin,
      symbol: 'WBTCUSD',
      base: 'WBTC',
      quote: 'USD',
      coinId: 'wrapped-bitcoin',
      coinName: 'Wrapped Bitcoin',
    },
    {
      ...dogecoin,
      symbol: 'WBTUSD',
      base: 'WBT',
      quote: 'USD',
      coinId: 'whitebit',
      coinName: 'WhiteBIT Coin',
    },
    { ...dogecoin, symbol: 'WBTUSDT', base: 'WBT', coinId: 'whitebit', coinName: 'WhiteBIT Coin' },
  ],
  bybit: [
    {
      ...dogecoin,
      symbol: 'AAPLXUSDT',
      base: 'AAPLX',
      coinId: 'apple-xstock',
      coinName: 'Apple xStock',
      fields: { symbolType: 'xstocks' },
    },
  ],
  gateio: [
    {
      ...dogecoin,
      symbol: 'LAYERUSDT',
      base: 'LAYER',
      coinId: 'solayer',
      coinName: 'Solayer',
      silent,
      fields: { buy_start: reusedAt / 1_000 },
    },
    { ...dogecoin, symbol: 'AAPLXUSDT', base: 'AAPLX', coinId: 'apple-xstock', coinName: 'Apple xStock' },
    {
      ...dogecoin,
      symbol: 'AAPLONUSDT',
      base: 'AAPLON',
      coinId: 'apple-ondo-tokenized-stock',
      coinName: 'Apple Ondo Tokenized',
    },
    // Elsewhere GTC is Gitcoin.
    { ...pepe, symbol: 'GTCUSDT', base: 'GTC', coinId: 'game', coinName: 'Game.com' },
    { ...dogecoin, symbol: 'BTC3LUSDT', base: 'BTC3L', coinId: 'btc3l', coinName: '3xLongBTC' },
  ],
}

/** All markets of a source. */
export const marketsOf = (source: SourceId): readonly OddMarket[] => [...markets, ...(odd[source] ?? [])]
