import type { Instant } from '../../market/instant.ts'
import { type AlignedRange, candleAround, isEmpty, union } from '../../market/range.ts'
import { isTimeframe } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import type { Coin } from '../../store/coins.ts'
import {
  type QuarantinedRow,
  type Resolution,
  type Resolving,
  resolveAnswered,
} from '../../store/quarantine.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type AskDeps, askAgain, type Request } from '../ask-again.ts'
import { addFilled, type Filled, nothingFilled } from '../candle-writer.ts'
import { finalClose, obtainablePart } from '../kept-history.ts'
import { candleMarketOf } from '../markets.ts'
import type { RetryPolicy } from '../retry-policy.ts'

/** Rows not requested, and why. */
export type LeftAlone = Readonly<{ row: QuarantinedRow; why: string }>

export type RetryPlan = Readonly<{
  rows: readonly QuarantinedRow[]
  requests: readonly Request[]
  leftAlone: readonly LeftAlone[]
}>

/** Groups rows to request by market; separates the others. */
export function planRetries(
  settings: Settings,
  coins: readonly Coin[],
  rows: readonly QuarantinedRow[],
  now: Instant,
): RetryPlan {
  const requests = new Map<string, Omit<Request, 'ranges'> & { ranges: AlignedRange[] }>()
  const leftAlone: LeftAlone[] = []
  const toResolve: QuarantinedRow[] = []
  for (const row of rows) {
    const asked = askableOf(settings, coins, row, now)
    if (typeof asked === 'string') {
      leftAlone.push({ row, why: asked })
      continue
    }
    toResolve.push(row)
    // Already stored.
    if (row.isStored) continue
    const { range, ...market } = asked
    const { source, coinId, timeframe } = market.series
    const key = `${source} ${coinId} ${timeframe}`
    const request = requests.get(key) ?? { ...market, ranges: [] }
    request.ranges.push(range)
    requests.set(key, request)
  }
  return {
    rows: toResolve,
    leftAlone,
    requests: [...requests.values()].map(({ ranges, ...market }) => ({ ...market, ranges: union(ranges) })),
  }
}

type Askable = Omit<Request, 'ranges'> & Readonly<{ range: AlignedRange }>

function askableOf(
  settings: Settings,
  coins: readonly Coin[],
  { source, coinId, timeframe, openTime, resolved }: QuarantinedRow,
  now: Instant,
): Askable | string {
  if (resolved !== undefined && resolved.as !== 'discarded') return `it is resolved: ${resolved.as}`
  if (timeframe === undefined) return 'it is a price of its moment, which no source gives again'
  if (coinId === undefined || !isTimeframe(timeframe)) return 'its candle is unknown'
  if (openTime === undefined) return 'it could not be dated, so there is no candle to ask for'
  const coin = coins.find(({ id }) => id === coinId)
  const market = coin && candleMarketOf(coin, source)
  if (!market) return `${coinId} is no longer tracked on ${source}`
  // A row off the grid belongs to the candle that contains it.
  const range = candleAround(timeframe, openTime)
  if (range.to > finalClose(settings, timeframe, now)) return 'its candle has not closed yet'
  if (isEmpty(obtainablePart(market, timeframe, range, now)))
    return `${source} has no candle of ${market.symbol} from then any more`
  return { series: { coinId, timeframe, source }, source: market.source, symbol: market.symbol, range }
}

export type Retried = Filled & Readonly<{ resolved: ReadonlyMap<string, Resolution> }>

/** Requests the rows' open times and resolves those now stored or absent. */
export async function retryQuarantined(
  deps: AskDeps,
  plan: RetryPlan,
  resolving: Resolving,
  retryPolicy: RetryPolicy,
): Promise<Retried> {
  let filled = nothingFilled
  for (const request of plan.requests)
    filled = addFilled(filled, await askAgain(deps, request, 'retry-quarantine', retryPolicy))
  const ids = plan.rows.map(({ id }) => id)
  return { ...filled, resolved: await resolveAnswered(databaseOf(deps.pool), ids, resolving) }
}
