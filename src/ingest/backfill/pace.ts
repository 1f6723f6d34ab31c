import type { Pool } from 'pg'
import { paceOf } from '../../http/pace.ts'
import type { Pause } from '../../http/pauses.ts'
import { type Instant, minute, plus } from '../../market/instant.ts'
import { queueOfSource } from '../../settings/source-ids.ts'
import type { Settings } from '../../settings.ts'
import { binanceArchive } from '../../sources/binance-archive.ts'
import { readOtherWork } from '../../store/runs.ts'
import { databaseOf } from '../../store/transaction.ts'
import { candleSource } from '../markets.ts'

export type SourcePace = Readonly<{
  source: string
  othersShare: number
  otherBackfills: number
  stoppedMs: number
  msPerPoint: number
}>

/** Duration for the given request weight. */
export const durationOf = ({ stoppedMs, msPerPoint }: SourcePace, weight: number): number =>
  weight === 0 ? 0 : stoppedMs + weight * msPerPoint

/** Contains ticks of all relevant timeframes. */
const observedMs = 15 * minute

/** Backfills always progress between ticks. */
const leastFree = 0.1

/** Pace per source: its budget minus recent live use, halved while another backfill runs. No time without a budget. */
export async function readPaces(
  pool: Pool,
  { budget, environment }: Settings,
  sources: readonly string[],
  pauses: readonly Pause[],
  now: Instant,
): Promise<SourcePace[]> {
  if (environment.unlimitedBudget) {
    const free = { othersShare: 0, otherBackfills: 0, stoppedMs: 0, msPerPoint: 0 }
    return sources.map((source) => ({ source, ...free }))
  }
  const others = await readOtherWork(databaseOf(pool), sources.map(queueOfSource), plus(now, -observedMs))
  return sources.map((source) => {
    const { rateLimits, pointsPerRequest } = limitsOf(source)
    const { perPointMs } = paceOf(rateLimits, budget.share)
    const { requests, backfills } = others.get(queueOfSource(source)) ?? { requests: 0, backfills: 0 }
    const othersShare = Math.min(1, (requests * pointsPerRequest * perPointMs) / observedMs)
    const free = Math.max(leastFree, 1 - othersShare) / (backfills > 0 ? 2 : 1)
    const stop = pauses.find((standing) => standing.source === source && standing.kind !== 'unserved')
    return {
      source,
      othersShare,
      otherBackfills: backfills,
      stoppedMs: stop?.leftMs ?? 0,
      msPerPoint: perPointMs / free,
    }
  })
}

/** The share of a budget that these requests use; undefined without a budget. */
export function budgetShare(
  { budget, environment }: Settings,
  source: string,
  requests: number,
  overMs: number,
): number | undefined {
  if (environment.unlimitedBudget || overMs <= 0) return undefined
  const { rateLimits, pointsPerRequest } = limitsOf(source)
  return (requests * pointsPerRequest * paceOf(rateLimits, budget.share).perPointMs) / overMs
}

function limitsOf(id: string) {
  if (id === binanceArchive.id) return { rateLimits: binanceArchive.rateLimits, pointsPerRequest: 1 }
  const { rateLimits, candles } = candleSource(id)
  return { rateLimits, pointsPerRequest: candles.weight }
}
