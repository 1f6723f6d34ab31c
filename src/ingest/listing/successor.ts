import type { ListedMarket } from '../../sources/listing/listed-market.ts'
import type { MarketLife } from '../../store/coins/instruments.ts'
import type { KnownMarket } from '../../store/coins/listed-markets.ts'

export type Listings = Readonly<{
  now: ReadonlyMap<string, ListedMarket>
  before: ReadonlyMap<string, KnownMarket>
}>

/** The proven successor: appeared in the same check with the same quote and one of the old names. */
export function provenSuccessor(
  { symbol, missingSince, lastListedAt }: MarketLife,
  { now, before }: Listings,
): ListedMarket | undefined {
  const old = before.get(symbol)
  // After a check without either, the name may have been reused.
  if (!old || now.has(symbol) || missingSince !== undefined || lastListedAt === undefined) return undefined
  const names = new Set([symbol, ...old.alsoCalled])
  const [successor, ...others] = [...now.values()].filter(
    (market) =>
      market.trading &&
      market.quote === old.quote &&
      !before.has(market.symbol) &&
      (market.listedAt === undefined || market.listedAt <= lastListedAt) &&
      [market.symbol, ...(market.alsoCalled ?? [])].some((name) => names.has(name)),
  )
  return others.length === 0 ? successor : undefined
}

/** More would not help. */
const mostCandidates = 5

/** Possible successors: same quote, appeared since it was last seen; first by listing time, then by coin. */
export function candidatesFor({ symbol, lastListedAt }: MarketLife, { now, before }: Listings): string[] {
  const old = before.get(symbol)
  if (!old || lastListedAt === undefined) return []
  const appeared = [...now.values()].filter((market) => {
    if (!market.trading || market.quote !== old.quote) return false
    const known = before.get(market.symbol)
    return known === undefined || known.lastSeenAt < lastListedAt || known.appearedAt > lastListedAt
  })
  const likeness = ({ listedAt, base }: ListedMarket) =>
    (listedAt !== undefined && listedAt === old.listedAt ? 2 : 0) + (base === old.base ? 1 : 0)
  return appeared
    .toSorted((a, b) => likeness(b) - likeness(a) || (a.symbol < b.symbol ? -1 : 1))
    .slice(0, mostCandidates)
    .map((market) => market.symbol)
}
