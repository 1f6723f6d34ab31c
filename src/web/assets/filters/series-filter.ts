// Which coins and timeframes the page shows.
import type { Status } from '../../../status/status.ts'
import { openUrlFilters } from './url-filters.ts'

type Shown = Pick<Status, 'series' | 'prices'> & Readonly<{ isFiltered: boolean }>

/** Returns the series and prices to show of a status. */
export function openSeriesFilter(
  form: HTMLElement,
  changed: () => void,
): (status: Pick<Status, 'series' | 'prices'>) => Shown {
  const filters = openUrlFilters(form, changed)
  return ({ series, prices }) => {
    filters.offer('timeframe', new Set(series.map((one) => one.timeframe)))
    const isFiltered = filters.isSet()
    if (!isFiltered) return { series, prices, isFiltered }
    const text = filters.value('coin').trim().toLowerCase()
    const [timeframe, state] = [filters.value('timeframe'), filters.value('state')]
    const isNamed = (coin: Readonly<{ coinId: string; symbol: string }>) =>
      coin.coinId.toLowerCase().includes(text) || coin.symbol.toLowerCase().includes(text)
    const ofTimeframe = series.filter((one) => timeframe === '' || one.timeframe === timeframe)
    // A coin with one series in that state is shown with its others.
    const coins = new Set(
      ofTimeframe
        .filter((one) => isNamed(one) && (state === '' || one.state === state))
        .map(({ coinId }) => coinId),
    )
    const isChosen =
      timeframe === '' && state === ''
        ? isNamed
        : ({ coinId }: Readonly<{ coinId: string }>) => coins.has(coinId)
    return {
      series: ofTimeframe.filter(({ coinId }) => coins.has(coinId)),
      prices: prices.filter(isChosen),
      isFiltered,
    }
  }
}
