import type { StopKind } from '../../http/pauses.ts'
import { second } from '../../market/instant.ts'
import { isSourceId, sources } from '../../sources/catalog.ts'
import { countMarkets, marketStates } from '../../store/coins/instruments.ts'
import { databaseOf } from '../../store/transaction.ts'
import { defineCollector } from './collector.ts'

/** Allowed points per second. */
export const allowance = defineCollector({
  name: 'allowance',
  gauges: {
    beacon_budget_allowed_points_per_second: {
      help: 'What the fleet may spend of a source’s rate limit; none where the budget is switched off.',
      labels: ['source'],
    },
  },
  collect: async ({ settings: { environment, budget } }) =>
    environment.unlimitedBudget
      ? []
      : Object.values(sources).map(({ id, rateLimits }) => ({
          name: 'beacon_budget_allowed_points_per_second',
          labels: { source: id },
          value: Math.min(...rateLimits.map(({ points, perMs }) => (points * budget.share * second) / perMs)),
        })),
})

const stopKinds: readonly StopKind[] = ['slow-down', 'banned', 'unserved']

/** Paused sources. */
export const pauses = defineCollector({
  name: 'pauses',
  gauges: {
    beacon_source_stopped: {
      help: '1 while the fleet does not ask a source, by kind: slow-down, banned, unserved.',
      labels: ['source', 'kind'],
    },
    beacon_source_stop_left_seconds: {
      help: 'How long a source will not be asked yet; 0 while it is asked.',
      labels: ['source'],
    },
  },
  collect: async (deps) => {
    const standing = new Map((await deps.pauses()).map((stop) => [stop.source, stop]))
    // Paused ccxt sources are included.
    return [...new Set([...Object.keys(sources), ...standing.keys()])].flatMap((source) => {
      const stop = standing.get(source)
      return [
        ...stopKinds.map((kind) => ({
          name: 'beacon_source_stopped' as const,
          labels: { source, kind },
          value: stop?.kind === kind ? 1 : 0,
        })),
        {
          name: 'beacon_source_stop_left_seconds' as const,
          labels: { source },
          value: (stop?.leftMs ?? 0) / second,
        },
      ]
    })
  },
})

/** All ccxt exchanges have listings. */
const hasListing = (source: string): boolean => !isSourceId(source) || sources[source].listing !== undefined

/** Listing states of tracked markets. */
export const markets = defineCollector({
  name: 'markets',
  gauges: {
    beacon_markets: {
      help: 'Tracked markets by what their source’s listing last showed of them.',
      labels: ['source', 'state'],
    },
  },
  collect: async ({ pool }) => {
    const counts = await countMarkets(databaseOf(pool))
    const trackedOn = [...new Set(counts.map(({ source }) => source))].filter(hasListing)
    return trackedOn.flatMap((source) =>
      marketStates.map((state) => ({
        name: 'beacon_markets',
        labels: { source, state },
        value: counts.find((one) => one.source === source && one.state === state)?.count ?? 0,
      })),
    )
  },
})
