import type { ListedMarket } from '../sources/listing/listed-market.ts'

export type Choice =
  | Readonly<{ kind: 'one'; market: ListedMarket }>
  /** The source lists the coin in ways that only a person can choose between. */
  | Readonly<{ kind: 'ambiguous'; candidates: readonly ListedMarket[] }>
  /** What the source lists under the ticker may be another coin. */
  | Readonly<{ kind: 'disputed'; candidates: readonly [ListedMarket, ...ListedMarket[]] }>
  | Readonly<{ kind: 'no-coin'; market: ListedMarket }>
  | Readonly<{ kind: 'none' }>

/** Finds the market of a base asset (usual spelling: BTC) against the most preferred quote that it is traded in. */
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
