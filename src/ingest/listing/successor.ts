import type { ListedMarket } from '../../sources/listing/listed-market.ts'
import type { MarketLife } from '../../store/coins/instruments.ts'
import type { KnownMarket } from '../../store/coins/listed-markets.ts'

/** What a source lists now, and what it has listed before. */
export type Listings = Readonly<{
  now: ReadonlyMap<string, ListedMarket>
  before: ReadonlyMap<string, KnownMarket>
}>

/**
 * The market that a vanished one is called now, where the source itself says so: it appeared in the same look, against the
 * same quote, and answers to a name of the old one. Everything less is a guess.
 */
export function provenSuccessor(
  { symbol, missingSince, lastListedAt }: MarketLife,
  { now, before }: Listings,
): ListedMarket | undefined {
  const old = before.get(symbol)
  // After a look in which there was neither, the name may have been taken up by another.
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

/** More would be no help. */
const mostCandidates = 5

/**
 * The symbols that a market may go on under: what appeared against the same quote since it was last seen, first what
 * has its moment of listing, then what has its coin.
 */
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
