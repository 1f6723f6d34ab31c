import type { SourceId } from '../settings/source-ids.ts'
import { binance } from './binance.ts'
import { binanceArchive } from './binance-archive.ts'
import { bitfinex } from './bitfinex.ts'
import { bitstamp } from './bitstamp.ts'
import { bybit } from './bybit.ts'
import { coinbase } from './coinbase.ts'
import { coingecko } from './coingecko.ts'
import { coinpaprika } from './coinpaprika.ts'
import { cryptocom } from './cryptocom.ts'
import { gateio } from './gateio.ts'
import { htx } from './htx.ts'
import { kraken } from './kraken.ts'
import { kucoin } from './kucoin.ts'
import { mexc } from './mexc.ts'
import { okx } from './okx.ts'
import type { CandleSource, Source } from './source.ts'

/** Every source by its id. */
export const sources: Readonly<Record<SourceId, Source>> = {
  binance,
  'binance-archive': binanceArchive,
  coinbase,
  kraken,
  okx,
  bybit,
  kucoin,
  bitstamp,
  bitfinex,
  gateio,
  cryptocom,
  htx,
  mexc,
  coingecko,
  coinpaprika,
}

export const hasCandles = (source: Source): source is CandleSource => source.candles !== undefined

export const isSourceId = (text: string): text is SourceId => Object.hasOwn(sources, text)
