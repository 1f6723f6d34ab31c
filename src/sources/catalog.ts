import type { SourceId } from '../settings/source-ids.ts'
import { binance } from './binance.ts'
import { coingecko } from './coingecko.ts'
import type { CandleSource, Source } from './source.ts'

/** Every source by its id. */
export const sources: Readonly<Record<SourceId, Source>> = { binance, coingecko }

export const hasCandles = (source: Source): source is CandleSource => source.candles !== undefined

export const isSourceId = (text: string): text is SourceId => Object.hasOwn(sources, text)
