import { keptHistory } from '../ingest/kept-history.ts'
import { candleMarketOf } from '../ingest/markets.ts'
import { day, type Instant, later, plus, toInstant, toIso } from '../market/instant.ts'
import { alignTo, candleCount, intersect, type Range } from '../market/range.ts'
import { ceilTo, floorTo, type Timeframe } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'
import { noCoverage, readCoverageDays } from '../store/coverage/days.ts'
import type { Database } from '../store/transaction.ts'

/** The candles of a month (UTC) by what is known of them. */
export type MonthCoverage = Readonly<{
  /** `2024-03` */
  month: string
  stored: number
  /** The source has none. */
  unavailable: number
  /** In quarantine. */
  rejected: number
  /** Of the history that is kept complete, those of which none of this is known. */
  missing: number
}>

const longestDays = 10 * 366

/** The months of ten years in which there are candles, or should be, ascending. */
export async function readMonths(
  db: Database,
  settings: Settings,
  coin: Coin,
  timeframe: Timeframe,
  now: Instant,
): Promise<MonthCoverage[]> {
  const range = { from: floorTo('1d', plus(now, -longestDays * day)), to: ceilTo('1d', now) }
  const found = await readCoverageDays(db, [coin.id], timeframe, range)
  const { stored, absent, refused } = found.get(coin.id) ?? noCoverage((range.to - range.from) / day)
  const market = candleMarketOf(coin)
  const kept = market && keptHistory(settings, market, timeframe, now)
  const months = monthsIn(range).map((month): MonthCoverage => {
    const [first, end] = [(month.from - range.from) / day, (month.to - range.from) / day]
    const sumOf = (days: readonly number[]) => days.slice(first, end).reduce((sum, one) => sum + one, 0)
    const wanted = kept && intersect(kept, month)
    const known = { stored: sumOf(stored), unavailable: sumOf(absent), rejected: sumOf(refused) }
    const knownCount = known.stored + known.unavailable + known.rejected
    return {
      month: toIso(month.from).slice(0, 7),
      ...known,
      missing: wanted ? Math.max(0, candleCount(alignTo(timeframe, wanted), timeframe) - knownCount) : 0,
    }
  })
  return months.filter((one) => one.stored + one.unavailable + one.rejected + one.missing > 0)
}

/** The range by calendar months, the first and the last perhaps in part. */
function monthsIn({ from, to }: Range): Range[] {
  const months: Range[] = []
  for (let at = from; at < to; ) {
    const date = new Date(at)
    const next = toInstant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1))
    months.push({ from: later(at, from), to: next < to ? next : to })
    at = next
  }
  return months
}
