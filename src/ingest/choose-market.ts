import type { ListedMarket } from '../sources/listing/listed-market.ts'

export type Choice =
  | Readonly<{ kind: 'one'; market: ListedMarket }>
  /** Only a person can choose. */
  | Readonly<{ kind: 'ambiguous'; candidates: readonly ListedMarket[] }>
  /** The ticker may be another coin here. */
  | Readonly<{ kind: 'disputed'; candidates: readonly [ListedMarket, ...ListedMarket[]] }>
  | Readonly<{ kind: 'no-coin'; market: ListedMarket }>
  | Readonly<{ kind: 'none' }>

/** Finds the market of a base (usual spelling: BTC) with the most preferred quote traded. */
export function chooseMarket(
  listing: readonly ListedMarket[],
  base: string,
  preferredQuotes: readonly string[],
): Choice {
  const listed = listing.filter((market) => market.trading && market.base === base)
  const coins = listed.filter(({ kind }) => kind === undefined)
  const candidates = coins.filter(({ baseMayBe }) => baseMayBe === undefined)
  if (candidates.length > 0) return preferred(candidates, preferredQuotes)
  const [disputed, ...others] = coins
  if (disputed) return { kind: 'disputed', candidates: [disputed, ...others] }
  const [market] = listed
  return market ? { kind: 'no-coin', market } : { kind: 'none' }
}

function preferred(candidates: readonly ListedMarket[], preferredQuotes: readonly string[]): Choice {
  const quote = preferredQuotes.find((wanted) => candidates.some((market) => market.quote === wanted))
  const inQuote = candidates.filter((market) => market.quote === quote)
  const [market, ...others] = inQuote
  if (market && others.length === 0) return { kind: 'one', market }
  return { kind: 'ambiguous', candidates: inQuote.length > 0 ? inQuote : candidates }
}
