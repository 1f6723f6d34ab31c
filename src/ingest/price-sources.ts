import type { SourceId } from '../settings/source-ids.ts'
import { sources } from '../sources/catalog.ts'
import type { PriceEndpoint, Source } from '../sources/source.ts'
import type { Coin } from '../store/coins.ts'

/** A source of prices, and which of its markets stands for which coin. */
export type PriceSource = Readonly<{
  source: Source & { prices: PriceEndpoint }
  coinIdOf: ReadonlyMap<string, string>
}>

/** The second is asked only when the first cannot answer. */
const inOrder: readonly SourceId[] = ['coingecko', 'binance']

/** Volume in these is volume in dollars. */
const dollarQuote = /(USD|USDT|USDC|FDUSD)$/

/** Every source of prices in order of preference, with the followed coins it can price. */
export function priceSources(coins: readonly Coin[]): PriceSource[] {
  return inOrder.flatMap((id) => {
    const source: Source = sources[id]
    const { prices } = source
    if (!prices) return []
    // CoinGecko's ids are ours.
    const entries =
      id === 'coingecko'
        ? coins.map((coin) => [coin.id, coin.id] as const)
        : coins.flatMap((coin) => dollarMarket(coin, id))
    return entries.length === 0 ? [] : [{ source: { ...source, prices }, coinIdOf: new Map(entries) }]
  })
}

function dollarMarket({ id, markets }: Coin, source: SourceId): (readonly [string, string])[] {
  const market = markets.find(
    (candidate) => candidate.source === source && dollarQuote.test(candidate.symbol),
  )
  return market ? [[market.symbol, id]] : []
}
