import type { ListedMarket } from '../sources/source.ts'

/** `none`: the source does not list the coin. `ambiguous`: it lists it in ways that only a human can choose between. */
export type Choice =
  | Readonly<{ kind: 'one'; market: ListedMarket }>
  | Readonly<{ kind: 'ambiguous'; candidates: readonly ListedMarket[] }>
  | Readonly<{ kind: 'none' }>

/** Finds the market of a base asset (common spelling: BTC) against the most preferred quote that it is traded in. */
export function chooseMarket(
  listing: readonly ListedMarket[],
  base: string,
  preferredQuotes: readonly string[],
): Choice {
  const candidates = listing.filter((market) => market.trading && market.base === base)
  const quote = preferredQuotes.find((wanted) => candidates.some((market) => market.quote === wanted))
  const preferred = candidates.filter((market) => market.quote === quote)
  const [market, ...others] = preferred
  if (market && others.length === 0) return { kind: 'one', market }
  if (candidates.length === 0) return { kind: 'none' }
  return { kind: 'ambiguous', candidates: preferred.length > 0 ? preferred : candidates }
}
