import { second } from '../market/instant.ts'
import type { Outcome } from '../queue/job.ts'
import type { RunEnd, RunRecorder, RunStart } from '../queue/worker.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Counters } from './counters.ts'

type Begun = Readonly<{ run: RunStart; startedAt: number }>

export function countedRuns(recorder: RunRecorder, counters: Counters, clock: Clock): RunRecorder {
  const underway = new Map<string, Begun>()
  return {
    started: async (run) => {
      const startedAt = clock.now()
      const runId = await recorder.started(run)
      underway.set(runId, { run, startedAt })
      return runId
    },
    finished: async (runId, end) => {
      const begun = underway.get(runId)
      underway.delete(runId)
      if (begun) {
        const { job, queue, payload } = begun.run
        counters.add('runs', { task: job, queue, status: statusOf(end) })
        counters.observe('runDuration', { task: job }, (clock.now() - begun.startedAt) / second)
        if (end.outcome) countRows(counters, payload, end.outcome)
      }
      await recorder.finished(runId, end)
    },
  }
}

const statusOf = ({ fault, outcome, willRetry }: RunEnd): string => {
  if (fault === undefined) return 'done'
  if (willRetry) return 'to-be-tried-again'
  return outcome === undefined ? 'failed' : 'partial'
}

/** Outcome fields → label values. */
const results: Readonly<Record<string, string>> = {
  new: 'new',
  revised: 'revised',
  unchanged: 'unchanged',
  quarantined: 'quarantined',
  withoutPrice: 'without-price',
  confirming: 'confirming',
}

/** Jobs that report `received`: candles with a timeframe, else prices. */
function countRows(counters: Counters, payload: unknown, outcome: Outcome): void {
  if (typeof outcome.received !== 'number') return
  const { source, timeframe } = namesIn(payload)
  for (const [name, result] of Object.entries(results)) {
    const rows = outcome[name]
    if (typeof rows !== 'number' || rows === 0) continue
    if (source !== undefined && timeframe !== undefined)
      counters.add('candles', { source, timeframe, result }, rows)
    else counters.add('prices', { result }, rows)
  }
}

function namesIn(payload: unknown): { source?: string; timeframe?: string } {
  if (typeof payload !== 'object' || payload === null) return {}
  const names = new Map(Object.entries(payload))
  const [source, timeframe] = [names.get('source'), names.get('timeframe')]
  return {
    ...(typeof source === 'string' ? { source } : {}),
    ...(typeof timeframe === 'string' ? { timeframe } : {}),
  }
}
