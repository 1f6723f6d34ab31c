import { day, type Instant, plus, toInstant } from '../../market/instant.ts'
import type { ListedMarket } from './listed-market.ts'
import { withKinds } from './market-kind.ts'

/** The first block of Bitcoin. */
const firstCoinAt: Instant = toInstant(Date.UTC(2009, 0, 3))

/** Markets are announced weeks ahead. */
const furthestAheadMs = 366 * day

/** Of so many dated markets, a date that so large a part of them shares is a placeholder and tells nothing of any. */
const fewestDated = 20
const placeholderShare = 0.2

/** Adds to a parsed listing what only the whole of it and the time of the answer tell. */
export const completeListing = (listing: readonly ListedMarket[], answeredAt: Instant): ListedMarket[] =>
  withoutPlaceholders(withKinds(listing), answeredAt)

function withoutPlaceholders(listing: readonly ListedMarket[], answeredAt: Instant): ListedMarket[] {
  const counts = new Map<Instant, number>()
  for (const { listedAt } of listing)
    if (listedAt !== undefined) counts.set(listedAt, (counts.get(listedAt) ?? 0) + 1)
  const dated = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const isDate = (at: Instant) =>
    at >= firstCoinAt &&
    at <= plus(answeredAt, furthestAheadMs) &&
    (dated < fewestDated || (counts.get(at) ?? 0) < placeholderShare * dated)
  return listing.map((market) => {
    const { listedAt, ...undated } = market
    return listedAt === undefined || isDate(listedAt) ? market : undated
  })
}
