import { marketKey } from '../../market/market-key.ts'
import type { Coin, Instrument } from '../../store/coins.ts'

/** Other coins with the same market, tracked before that was prevented. */
export function sharersOf(
  { coinId, source, symbol, listedTo }: Instrument,
  coins: readonly Coin[],
): readonly string[] {
  if (listedTo !== undefined) return []
  const key = marketKey(source, symbol)
  const isSame = (market: Instrument) =>
    market.source === source && market.listedTo === undefined && marketKey(source, market.symbol) === key
  return coins.filter(({ id, markets }) => id !== coinId && markets.some(isSame)).map(({ id }) => id)
}
