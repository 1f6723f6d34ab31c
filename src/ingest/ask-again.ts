import { toIso } from '../market/instant.ts'
import type { AlignedRange } from '../market/range.ts'
import { queueOfSource } from '../settings/source-ids.ts'
import type { CandleProvider } from '../sources/source.ts'
import type { Series } from '../store/coverage.ts'
import type { AskedByCommand } from '../store/runs/provenance.ts'
import { finishRun, startRun } from '../store/runs.ts'
import { databaseOf } from '../store/transaction.ts'
import { addFilled, type Filled, nothingFilled } from './candle-writer.ts'
import { type FillDeps, fillRange } from './fill-range.ts'
import { type RetryPolicy, withRetries } from './retry-policy.ts'

/** Open times to request regardless of coverage, ascending. */
export type Request = Readonly<{
  series: Series
  source: CandleProvider
  symbol: string
  ranges: readonly AlignedRange[]
}>

export type AskDeps = Omit<FillDeps, 'runId' | 'signal'>

/** Requests these open times in the repair lane without the queue; recorded as a run of `job`. */
export async function askAgain(
  deps: AskDeps,
  request: Request,
  job: AskedByCommand,
  retryPolicy: RetryPolicy,
): Promise<Filled> {
  const { pool, clock } = deps
  const db = databaseOf(pool)
  const runId = await startRun(db, { ...runOf(request, job), startedAt: clock.now() })
  try {
    const filled = await fillAll({ ...deps, runId, signal: retryPolicy.signal }, request, retryPolicy)
    await finishRun(db, runId, { status: 'done', outcome: filled }, clock.now())
    return filled
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const fault = error instanceof Error ? error.name : 'Error'
    await finishRun(db, runId, { status: 'failed', error: reason, fault, willRetry: false }, clock.now())
    throw error
  }
}

function runOf({ series, symbol, ranges }: Request, job: AskedByCommand) {
  const [first, last] = [ranges[0], ranges.at(-1)]
  const span = first && last ? { from: toIso(first.from), to: toIso(last.to) } : {}
  const payload = { ...series, symbol, ...span }
  return { job, queue: queueOfSource(series.source), jobId: `command-${job}`, attempt: 1, payload }
}

async function fillAll(
  deps: FillDeps,
  { series, source, symbol, ranges }: Request,
  retryPolicy: RetryPolicy,
): Promise<Filled> {
  let filled = nothingFilled
  for (const range of ranges) {
    const asked = { series, source, symbol, range, lane: 'repair' } as const
    filled = addFilled(filled, await withRetries(() => fillRange(deps, asked), retryPolicy))
  }
  return filled
}
