import { second } from '../../market/instant.ts'
import { readSeries, type SeriesStatus } from '../../status/series.ts'
import { listCoins } from '../../store/coins.ts'
import { readLatestPrices } from '../../store/prices.ts'
import { databaseOf } from '../../store/transaction.ts'
import { defineCollector } from './collector.ts'

const states = ['fresh', 'late', 'stale', 'empty'] as const

/** Per source and timeframe; per coin would be too many. */
export const candles = defineCollector({
  name: 'candles',
  gauges: {
    beacon_candles_behind_seconds: {
      help: 'From the close of the newest stored candle to now, of the series that is furthest behind.',
      labels: ['source', 'timeframe'],
    },
    beacon_series: {
      help: 'Series by freshness: fresh, late (up to five candles behind), stale, or empty.',
      labels: ['source', 'timeframe', 'state'],
    },
    beacon_candles_missing: {
      help: 'Candles of the kept history that are neither stored nor known to be missing.',
      labels: ['source', 'timeframe'],
    },
    beacon_candles_wanted: {
      help: 'Candles that the kept history has in all.',
      labels: ['source', 'timeframe'],
    },
  },
  collect: async ({ pool, settings, clock }) => {
    const db = databaseOf(pool)
    const series = await readSeries(db, settings, await listCoins(db), clock.now())
    return [...bySourceAndTimeframe(series).values()].flatMap((group) => {
      const labels = { source: group[0].source, timeframe: group[0].timeframe }
      const sum = (of: (one: SeriesStatus) => number) => group.reduce((total, one) => total + of(one), 0)
      const behind = group.flatMap(({ secondsBehind }) => (secondsBehind === null ? [] : [secondsBehind]))
      return [
        ...(behind.length === 0
          ? []
          : [{ name: 'beacon_candles_behind_seconds' as const, labels, value: Math.max(...behind) }]),
        ...states.map((state) => ({
          name: 'beacon_series' as const,
          labels: { ...labels, state },
          value: sum((one) => (one.state === state ? 1 : 0)),
        })),
        {
          name: 'beacon_candles_missing' as const,
          labels,
          value: sum(({ missingCandles }) => missingCandles),
        },
        { name: 'beacon_candles_wanted' as const, labels, value: sum(({ wantedCandles }) => wantedCandles) },
      ]
    })
  },
})

type Group = readonly [SeriesStatus, ...SeriesStatus[]]

function bySourceAndTimeframe(series: readonly SeriesStatus[]): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const one of series) {
    const key = `${one.source} ${one.timeframe}`
    groups.set(key, [one, ...(groups.get(key) ?? [])])
  }
  return groups
}

export const prices = defineCollector({
  name: 'prices',
  gauges: {
    beacon_price_age_seconds: {
      help: 'From the newest price of a coin to now, of the coin whose price is oldest.',
      labels: [],
    },
    beacon_coins: { help: 'Tracked coins, with a price and without.', labels: ['priced'] },
  },
  collect: async ({ pool, clock }) => {
    const db = databaseOf(pool)
    const ids = (await listCoins(db)).map(({ id }) => id)
    const latest = ids.length === 0 ? [] : await readLatestPrices(db, ids)
    const ages = latest.map(({ timestamp }) => (clock.now() - timestamp) / second)
    return [
      ...(ages.length === 0 ? [] : [{ name: 'beacon_price_age_seconds' as const, value: Math.max(...ages) }]),
      { name: 'beacon_coins' as const, labels: { priced: 'yes' }, value: latest.length },
      { name: 'beacon_coins' as const, labels: { priced: 'no' }, value: ids.length - latest.length },
    ]
  },
})
