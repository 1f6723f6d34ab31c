import { InvalidInput } from '../fault.ts'
import { hasCandles, isSourceId, sources } from '../sources/catalog.ts'
import type { CandleSource } from '../sources/source.ts'
import type { Coin } from '../store/coins.ts'

/** The market that a coin's candles are read from. */
export type CandleMarket = Readonly<{ coinId: string; source: CandleSource; symbol: string }>

/** The coin's first market with candles, or the one on the source asked for; undefined when it has none. */
export function candleMarketOf({ id, markets }: Coin, sourceId?: string): CandleMarket | undefined {
  for (const { source: name, symbol } of markets) {
    if (!isSourceId(name) || (sourceId !== undefined && name !== sourceId)) continue
    const source = sources[name]
    if (hasCandles(source)) return { coinId: id, source, symbol }
  }
  return undefined
}

/** The source of that id, which must have candles. Throws InvalidInput naming those that do. */
export function candleSource(id: string): CandleSource {
  const source = isSourceId(id) ? sources[id] : undefined
  if (source && hasCandles(source)) return source
  const known = Object.values(sources)
    .filter(hasCandles)
    .map((candidate) => candidate.id)
  throw new InvalidInput(`there is no source of candles "${id}"; there is ${known.join(', ')}`)
}
