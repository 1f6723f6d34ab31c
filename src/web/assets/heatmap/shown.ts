// The coins of the heatmap.
import type { Status } from '../../../status/status.ts'
import type { Coverage } from './days.ts'

export type Shown = Pick<Status, 'series'> & Readonly<{ isFiltered: boolean }>

/** In the order of the page; coins without series are last, and hidden by a filter. */
export function shownCoverage(coverage: Coverage, { series, isFiltered }: Shown): Coverage {
  const places = new Map([...new Set(series.map(({ coinId }) => coinId))].map((id, place) => [id, place]))
  const placeOf = ({ coinId }: Coverage['coins'][number]) => places.get(coinId) ?? places.size
  const coins = coverage.coins.filter(({ coinId }) => !isFiltered || places.has(coinId))
  return { ...coverage, coins: coins.toSorted((a, b) => placeOf(a) - placeOf(b)) }
}
