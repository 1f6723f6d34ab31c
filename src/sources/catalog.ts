import { type AnySourceId, isCcxtSourceId, type SourceId } from '../settings/source-ids.ts'
import { binance } from './binance.ts'
import { binanceArchive } from './binance-archive.ts'
import { bitfinex } from './bitfinex.ts'
import { bitstamp } from './bitstamp.ts'
import { bybit } from './bybit.ts'
import { ccxtSource } from './ccxt.ts'
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
import type { CandleProvider, CandleSource, ConversingSource, Source } from './source.ts'

/** All built-in sources by id. */
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

export const isAnySourceId = (text: string): text is AnySourceId => isSourceId(text) || isCcxtSourceId(text)

export const sourceNamed = (id: AnySourceId): Source | ConversingSource =>
  isSourceId(id) ? sources[id] : ccxtSource(id)

export function candlesFrom(id: AnySourceId): CandleProvider | undefined {
  if (!isSourceId(id)) return ccxtSource(id)
  const source = sources[id]
  return hasCandles(source) ? source : undefined
}
