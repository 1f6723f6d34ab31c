import { isSourceId, sources } from '../../sources/catalog.ts'
import type { Source } from '../../sources/source.ts'
import type { Coin, Instrument } from '../../store/coins.ts'

/** A source that has prices. */
export type PricingSource = Source & Required<Pick<Source, 'prices'>>

/** A market that has a coin's price. `isHalted`: it did not trade when its source was last listed. */
export type PriceMarket = Readonly<{ source: PricingSource; symbol: string; isHalted: boolean }>

/** What to ask one source: which of its markets, and the coins that each of them stands for. */
export type PriceRequest = Readonly<{
  source: PricingSource
  coinIdsOf: ReadonlyMap<string, readonly string[]>
  /** Those of the markets that did not trade when the source was last listed. */
  halted: ReadonlySet<string>
}>

const hasPrices = (source: Source): source is PricingSource => source.prices !== undefined

/** Sources that price the coin itself, in dollars and over all exchanges; in order of preference. */
const aggregators: readonly string[] = ['coingecko', 'coinpaprika']

/** Volume in these is volume in dollars. Bitfinex calls USDT UST. */
const dollarQuote = /USD[TC]?$/i
const isDollarMarket = (source: string, symbol: string): boolean =>
  dollarQuote.test(symbol) || (source === 'bitfinex' && symbol.endsWith('UST'))

/** Where the coin's price can be had, the best first: the aggregators, then its dollar markets in their own order. */
export function priceMarketsOf({ id, markets: all }: Coin): PriceMarket[] {
  // A market that has ended may have come back as another coin's.
  const markets = all.filter(({ listedTo }) => listedTo === undefined)
  const named = aggregators.flatMap((aggregator): Pick<Instrument, 'source' | 'symbol' | 'haltedSince'>[] => {
    // CoinGecko's ids are ours.
    if (aggregator === 'coingecko') return [{ source: aggregator, symbol: id }]
    return markets.filter(({ source }) => source === aggregator)
  })
  const traded = markets.filter(
    ({ source, symbol }) => !aggregators.includes(source) && isDollarMarket(source, symbol),
  )
  return [...named, ...traded].flatMap(({ source: name, symbol, haltedSince }) => {
    const source = isSourceId(name) ? sources[name] : undefined
    return source && hasPrices(source) ? [{ source, symbol, isHalted: haltedSince !== undefined }] : []
  })
}

/** One question for each source that is the best one left for some coin, by the markets left for each of them. */
export function nextPriceRequests(left: ReadonlyMap<string, readonly PriceMarket[]>): PriceRequest[] {
  type Request = PriceRequest & { coinIdsOf: Map<string, string[]>; halted: Set<string> }
  const priceRequests = new Map<string, Request>()
  for (const [coinId, [best]] of left) {
    if (!best) continue
    const { source, symbol, isHalted } = best
    const priceRequest = priceRequests.get(source.id) ?? { source, coinIdsOf: new Map(), halted: new Set() }
    priceRequests.set(source.id, priceRequest)
    if (isHalted) priceRequest.halted.add(symbol)
    priceRequest.coinIdsOf.set(symbol, [...(priceRequest.coinIdsOf.get(symbol) ?? []), coinId])
  }
  return [...priceRequests.values()]
}
