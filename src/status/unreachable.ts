import { isUnreachableText, noExchangeReachable } from '../http/reachability.ts'
import { type Instant, minute, plus } from '../market/instant.ts'
import { readSourceAnswers, type SourceAnswer } from '../store/runs/source-answers.ts'
import type { Database } from '../store/transaction.ts'
import { attention, type Finding, note } from './finding.ts'
import type { SeriesStatus } from './series.ts'
import { counted } from './words.ts'

/** From runs of the last minutes. */
export type UnreachableStatus = Readonly<{
  /** True for all requested sources. */
  isNetworkDown: boolean
  sources: readonly Readonly<{
    source: string
    /** Failed because of it. */
    jobs: number
    reason: string
    /** A tracked coin's candles come from it. */
    isUsed: boolean
  }>[]
}>

const recentMs = 15 * minute

export const readUnreachable = async (
  db: Database,
  series: readonly Pick<SeriesStatus, 'source'>[],
  now: Instant,
): Promise<UnreachableStatus> =>
  describeUnreachable(await readSourceAnswers(db, plus(now, -recentMs)), series)

export function describeUnreachable(
  answers: readonly SourceAnswer[],
  series: readonly Pick<SeriesStatus, 'source'>[],
): UnreachableStatus {
  const unreachable = answers.filter(({ error }) => error !== undefined && isUnreachableText(error))
  return {
    isNetworkDown: unreachable.length > 0 && unreachable.length === answers.length,
    sources: unreachable.flatMap(({ source, error = '', failedJobs }) =>
      source === '' ? [] : [{ source, jobs: failedJobs, reason: error, isUsed: isUsedBy(series, source) }],
    ),
  }
}

export const isUsedBy = (
  series: readonly Pick<SeriesStatus, 'source'>[],
  source: string | undefined,
): boolean => series.some((one) => one.source === source)

/** One for the network, else one per source; a note if unused here. */
export function unreachableFindings({ isNetworkDown, sources }: UnreachableStatus): Finding[] {
  if (isNetworkDown) return [attention('network.unreachable', `${noExchangeReachable}.`)]
  return sources.map(({ source, jobs, reason, isUsed }) =>
    isUsed
      ? attention(
          `source.unreachable ${source}`,
          `${reason}: ${counted(jobs, 'job')} failed, and the candles are fetched when it answers again.`,
        )
      : unusedFinding(source, reason),
  )
}

const unusedFinding = (source: string, reason: string): Finding =>
  note(`source.unreachable ${source}`, `${reason}; no candle of a tracked coin comes from ${source}.`)
