import { closest } from 'fastest-levenshtein'
import { InvalidInput } from '../fault.ts'
import type { Coin } from '../store/coins.ts'

/** The followed coins that were named, or all of them. Throws InvalidInput for one that is not followed. */
export function chosenCoins(coins: readonly Coin[], coinIds: readonly string[]): Coin[] {
  if (coinIds.length === 0) return [...coins]
  return coinIds.map((coinId) => {
    const coin = coins.find(({ id }) => id === coinId)
    if (coin) return coin
    const hint =
      coins.length > 0
        ? `, did you mean "${closest(
            coinId,
            coins.map(({ id }) => id),
          )}"?`
        : '.'
    throw new InvalidInput(`no coin "${coinId}" is followed${hint} See: beacon coins list`)
  })
}
