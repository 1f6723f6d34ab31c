import { InvalidInput } from '../fault.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import type { Coin } from '../store/coins.ts'

/** The followed coins that were named, or all of them. Throws InvalidInput for one that is not followed. */
export function chosenCoins(coins: readonly Coin[], coinIds: readonly string[]): Coin[] {
  if (coinIds.length === 0) return [...coins]
  return [...new Set(coinIds)].map((coinId) => {
    const coin = coins.find(({ id }) => id === coinId)
    if (coin) return coin
    const hint = didYouMean(
      coinId,
      coins.map(({ id }) => id),
    )
    throw new InvalidInput(`no coin "${coinId}" is followed.${hint} See: beacon coins list`)
  })
}
