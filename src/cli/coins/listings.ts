import type { Fleet } from '../../fleet.ts'
import { askForListing, type ListingSource } from '../../sources/ask.ts'
import type { ListedMarket } from '../../sources/listing/listed-market.ts'

/** The markets of each source, requested once for all coins of a command; undefined where it has no listing. */
export type Listings = Readonly<{ of(source: ListingSource): Promise<ListedMarket[] | undefined> }>

export function openListings({ context: { http, settings } }: Fleet, signal: AbortSignal): Listings {
  const known = new Map<string, Promise<ListedMarket[] | undefined>>()
  const deps = { http, baseUrls: settings.environment.baseUrls }
  return {
    of: (source) => {
      const found = known.get(source.id) ?? askForListing(deps, source, { lane: 'live', signal })
      known.set(source.id, found)
      return found
    },
  }
}
