import { isSourceId, sources } from '../../sources/catalog.ts'
import type { Source } from '../../sources/source.ts'
import type { Coin, Instrument } from '../../store/coins.ts'

export type PricingSource = Source & Required<Pick<Source, 'prices'>>

/** `isHalted`: not trading in the last listing. */
export type PriceMarket = Readonly<{ source: PricingSource; symbol: string; isHalted: boolean }>

export type PriceRequest = Readonly<{
  source: PricingSource
  coinIdsOf: ReadonlyMap<string, readonly string[]>
  halted: ReadonlySet<string>
}>

const hasPrices = (source: Source): source is PricingSource => source.prices !== undefined

/** Aggregators price a coin in dollars over all exchanges; in order of preference. */
const aggregators: readonly string[] = ['coingecko', 'coinpaprika']

/** Their volume is in dollars. Bitfinex calls USDT UST. */
const dollarQuote = /USD[TC]?$/i
const isDollarMarket = (source: string, symbol: string): boolean =>
  dollarQuote.test(symbol) || (source === 'bitfinex' && symbol.endsWith('UST'))

/** Best first: aggregators, then dollar markets. */
export function priceMarketsOf({ id, markets: all }: Coin): PriceMarket[] {
  // An ended market may be another coin now.
  const markets = all.filter(({ listedTo }) => listedTo === undefined)
  const named = aggregators.flatMap((aggregator): Pick<Instrument, 'source' | 'symbol' | 'haltedSince'>[] => {
    // Our coin ids are CoinGecko's.
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

/** One request per source that is the best left for some coin. */
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
