import { commandLine } from '../command-line.ts'
import { InvalidInput } from '../fault.ts'
import { type Instant, later } from '../market/instant.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import { sourceIds } from '../settings/source-ids.ts'
import { candlesFrom, hasCandles, isAnySourceId, sources } from '../sources/catalog.ts'
import type { CandleProvider } from '../sources/source.ts'
import type { Coin } from '../store/coins.ts'

/** The market that a coin's candles are read from. */
export type CandleMarket = Readonly<{
  coinId: string
  source: CandleProvider
  symbol: string
  trackedFrom: Instant
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
  for (const { source: name, symbol, trackedFrom, listedFrom, listedTo } of markets) {
    if (!isAnySourceId(name) || (sourceId !== undefined && name !== sourceId)) continue
    const source = candlesFrom(name)
    if (source) {
      return {
        coinId: id,
        source,
        symbol,
        trackedFrom,
        ...(listedFrom === undefined ? {} : { listedFrom }),
        ...(listedTo === undefined ? {} : { listedTo }),
      }
    }
  }
  return undefined
}

/** The same. Throws InvalidInput with the command that adds a market where there is none. */
export function requireCandleMarket(coin: Coin, sourceId?: string): CandleMarket {
  const market = candleMarketOf(coin, sourceId)
  if (market) return market
  throw new InvalidInput(
    `${coin.id} has no market ${sourceId === undefined ? 'with candles' : `on ${sourceId}`}. Add one with: ${commandLine`beacon coins add ${coin.id} --market`} ${sourceId ?? 'SOURCE'}:SYMBOL`,
  )
}

/** A source that candles are read from, and since when the last of its markets has been followed. */
export type SourceInUse = Readonly<{ source: CandleProvider; trackedFrom: Instant }>

/** The sources that the coins' candles are read from, in the order of the catalog and ccxt's after them; the others need not be asked. */
export function sourcesInUse(coins: readonly Coin[]): SourceInUse[] {
  const markets = coins
    .flatMap((coin) => candleMarketOf(coin) ?? [])
    .filter(({ listedTo }) => listedTo === undefined)
  return inOrder(new Set(markets.map(({ source }) => source))).flatMap((source) => {
    const tracked = markets.filter((market) => market.source === source)
    const [first, ...others] = tracked.map((market) => market.trackedFrom)
    return first === undefined ? [] : [{ source, trackedFrom: others.reduce(later, first) }]
  })
}

function inOrder(providers: ReadonlySet<CandleProvider>): CandleProvider[] {
  const places = new Map<string, number>(sourceIds.map((id, place) => [id, place]))
  const placeOf = ({ id }: CandleProvider) => places.get(id) ?? sourceIds.length
  return [...providers].sort((a, b) => placeOf(a) - placeOf(b) || (a.id < b.id ? -1 : 1))
}

/** The source of that id, which must have candles. Throws InvalidInput naming those that do. */
export function candleSource(id: string): CandleProvider {
  const source = isAnySourceId(id) ? candlesFrom(id) : undefined
  if (source) return source
  const known = Object.values(sources)
    .filter(hasCandles)
    .map((candidate) => candidate.id)
  throw new InvalidInput(
    `there is no source of candles "${id}".${didYouMean(id, known)} There is ${known.join(', ')}, and ccxt:NAME for any other exchange`,
  )
}
