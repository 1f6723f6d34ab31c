import { commandLine } from '../command-line.ts'
import { InvalidInput } from '../fault.ts'
import { type Instant, later } from '../market/instant.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import { sourceIds } from '../settings/source-ids.ts'
import { candlesFrom, hasCandles, isAnySourceId, sources } from '../sources/catalog.ts'
import type { CandleProvider } from '../sources/source.ts'
import type { Coin } from '../store/coins.ts'

/** The market a coin's candles come from. */
export type CandleMarket = Readonly<{
  coinId: string
  source: CandleProvider
  symbol: string
  trackedFrom: Instant
  listedFrom?: Instant
  /** No candle opens at or after it. */
  listedTo?: Instant
}>

/**
 * The coin's first market with candles, or that on `sourceId`; undefined if none. An ended market stays first, since
 * another source would not continue it.
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

export function requireCandleMarket(coin: Coin, sourceId?: string): CandleMarket {
  const market = candleMarketOf(coin, sourceId)
  if (market) return market
  throw new InvalidInput(
    `${coin.id} has no market ${sourceId === undefined ? 'with candles' : `on ${sourceId}`}. Add one with: ${commandLine`beacon coins add ${coin.id} --market`} ${sourceId ?? 'SOURCE'}:SYMBOL`,
  )
}

/** `trackedFrom`: of its newest market. */
export type SourceInUse = Readonly<{ source: CandleProvider; trackedFrom: Instant }>

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

/** Throws InvalidInput naming sources with candles. */
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
