/** Bucket bounds in the unit of the name. */
export type Counted = Readonly<{
  name: string
  help: string
  labels: readonly string[]
  buckets?: readonly number[]
}>

/** Labels have few values: never coins. */
export const counted = {
  requests: {
    name: 'beacon_source_requests_total',
    help: 'Requests to a source, by what came of them; held-back are those that the budget did not let out.',
    labels: ['source', 'outcome'],
  },
  requestDuration: {
    name: 'beacon_source_request_duration_seconds',
    help: 'From sending a request to the end of its answer or failure, without the wait for the budget.',
    labels: ['source'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
  },
  budgetPoints: {
    name: 'beacon_budget_points_total',
    help: 'Points of a source’s rate limit that were spent, by lane.',
    labels: ['source', 'lane'],
  },
  budgetWait: {
    name: 'beacon_budget_wait_seconds_total',
    help: 'How long requests waited for the budget, added up, by lane.',
    labels: ['source', 'lane'],
  },
  pauses: {
    name: 'beacon_source_pauses_total',
    help: 'Answers by which a source paused our requests, by kind.',
    labels: ['source', 'kind'],
  },
  runs: {
    name: 'beacon_job_runs_total',
    help: 'Ended runs of jobs, the task: done, partial (some markets failed), failed, or to be tried again.',
    labels: ['task', 'queue', 'status'],
  },
  runDuration: {
    name: 'beacon_job_run_duration_seconds',
    help: 'How long runs of a job took, however they ended.',
    labels: ['task'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1_800],
  },
  candles: {
    name: 'beacon_candles_total',
    help: 'Candles that answers brought: new, revised, unchanged or quarantined.',
    labels: ['source', 'timeframe', 'result'],
  },
  prices: {
    name: 'beacon_prices_total',
    help: 'Prices in answers: new, unchanged, quarantined, without-price, or confirming that of another source.',
    labels: ['result'],
  },
} as const satisfies Readonly<Record<string, Counted>>

export type CountedName = keyof typeof counted
