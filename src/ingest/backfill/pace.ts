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

/** How fast a source answers one more backfill. */
export type SourcePace = Readonly<{
  source: string
  /** The part of its request budget that live work has taken of late: from 0 to 1. */
  othersShare: number
  /** How many jobs of other backfills it works on. */
  otherBackfills: number
  /** How long nobody may ask it. */
  stoppedMs: number
  msPerPoint: number
}>

/** How long it takes to ask for so much weight. */
export const durationOf = ({ stoppedMs, msPerPoint }: SourcePace, weight: number): number =>
  weight === 0 ? 0 : stoppedMs + weight * msPerPoint

/** Live work of a quarter of an hour holds ticks of every timeframe that matters to the budget. */
const observedMs = 15 * minute

/** However busy the others are, a backfill gets on in the breaks between their ticks. */
const leastFree = 0.1

/**
 * The pace of each source: that of its budget, less what live work has lately taken of it, and half of that while another
 * backfill runs, since the two take turns. Without a budget nothing takes time.
 */
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

/** The part of a source's budget that so many requests for candles in so long a time are; undefined without one. */
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
