import { day, type Instant, plus, toInstant } from '../../market/instant.ts'
import type { ListedMarket } from './listed-market.ts'
import { withKinds } from './market-kind.ts'

/** Bitcoin's first block. */
const firstCoinAt: Instant = toInstant(Date.UTC(2009, 0, 3))

/** Announcements are weeks ahead. */
const furthestAheadMs = 366 * day

/** A date shared by this many markets is a placeholder. */
const fewestDated = 20
const placeholderShare = 0.2

/** Adds what needs the whole listing and its time. */
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
