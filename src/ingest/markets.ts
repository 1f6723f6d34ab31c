import { InvalidInput } from '../fault.ts'
import { type Instant, later } from '../market/instant.ts'
import { hasCandles, isSourceId, sources } from '../sources/catalog.ts'
import type { CandleSource } from '../sources/source.ts'
import type { Coin } from '../store/coins.ts'

/** The market that a coin's candles are read from. */
export type CandleMarket = Readonly<{
  coinId: string
  source: CandleSource
  symbol: string
  followedFrom: Instant
  /** Since when the symbol stands for this coin, where it stood for another before. */
  listedFrom?: Instant
  /** When the market ended on its source: it has no candle that opens then or later. */
  listedTo?: Instant
}>

/**
 * The coin's first market with candles, or the one on the source asked for; undefined when it has none. A market that
 * has ended stays the first: another source's candles do not go on where its candles end.
 */
export function candleMarketOf({ id, markets }: Coin, sourceId?: string): CandleMarket | undefined {
  for (const { source: name, symbol, followedFrom, listedFrom, listedTo } of markets) {
    if (!isSourceId(name) || (sourceId !== undefined && name !== sourceId)) continue
    const source = sources[name]
    if (hasCandles(source)) {
      return {
        coinId: id,
        source,
        symbol,
        followedFrom,
        ...(listedFrom === undefined ? {} : { listedFrom }),
        ...(listedTo === undefined ? {} : { listedTo }),
      }
    }
  }
  return undefined
}

/** A source that candles are read from, and since when the last of its markets has been followed. */
export type SourceInUse = Readonly<{ source: CandleSource; followedFrom: Instant }>

/** The sources that the coins' candles are read from, in the order of the catalog; the others need not be asked. */
export function sourcesInUse(coins: readonly Coin[]): SourceInUse[] {
  const markets = coins
    .flatMap((coin) => candleMarketOf(coin) ?? [])
    .filter(({ listedTo }) => listedTo === undefined)
  return Object.values(sources)
    .filter(hasCandles)
    .flatMap((source) => {
      const followed = markets.filter((market) => market.source === source)
      const [first, ...others] = followed.map((market) => market.followedFrom)
      return first === undefined ? [] : [{ source, followedFrom: others.reduce(later, first) }]
    })
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
