import { type Instant, toIso, toMinuteText } from '../market/instant.ts'
import type { AnyJob } from '../queue/job.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'
import { type Failing, forgetFailingJobs, readFailingJobs, type Subject } from '../store/runs/failing-jobs.ts'
import type { Database } from '../store/transaction.ts'
import { causeOf } from './cause.ts'
import { counted } from './words.ts'

/** A failing job and subject. */
export type FailingJobStatus = Readonly<{
  job: string
  queue: string
  subject: Subject
  status: Failing['status']
  willRetry: boolean
  firstAt: string
  lastAt: string
  failures: number
  error: string
  runId: string
}>

/** Failing jobs with one cause, until each succeeds or no longer exists. */
export type FailureGroup = Readonly<{
  key: string
  /** From the newest failure. */
  cause: string
  /** All will be retried. */
  willRetry: boolean
  firstAt: string
  lastAt: string
  failures: number
  /** Error class: `RateLimited`. */
  fault: string
  jobs: readonly FailingJobStatus[]
}>

type Setup = Readonly<{ jobs: readonly AnyJob[]; settings: Settings; coins: readonly Coin[] }>

/** Longest failing first. */
export async function readFailures(db: Database, setup: Setup): Promise<FailureGroup[]> {
  return groupByCause((await readFailingJobs(db)).filter((one) => exists(one, setup)))
}

/** Deletes failures of work that no longer exists. */
export async function forgetGoneFailures(db: Database, setup: Setup): Promise<void> {
  const gone = (await readFailingJobs(db)).filter((one) => !exists(one, setup))
  await forgetFailingJobs(db, gone)
}

/** Job, coin, source, timeframe and missing range still exist. */
function exists(
  { job, subject: { coinId, source, timeframe }, isRangeMissing }: Failing,
  { jobs, settings, coins }: Setup,
): boolean {
  if (!jobs.some(({ name }) => name === job) || isRangeMissing === false) return false
  if (timeframe !== undefined && !Object.hasOwn(settings.timeframes, timeframe)) return false
  const concerned = coins.filter(({ id }) => coinId === undefined || id === coinId)
  if (coinId !== undefined && concerned.length === 0) return false
  return source === undefined || concerned.some(({ markets }) => markets.some((one) => one.source === source))
}

function groupByCause(failing: readonly Failing[]): FailureGroup[] {
  const groups = new Map<string, Failing[]>()
  for (const one of failing) {
    // By the first error, so that a changed wording keeps its alert.
    const key = `run.${one.status} ${causeOf(one.firstError)}`
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups].map(([key, members]) => describeGroup(key, members))
}

function describeGroup(key: string, members: readonly Failing[]): FailureGroup {
  const newest = members.reduce((a, b) => (b.lastFailedAt > a.lastFailedAt ? b : a))
  const at = (pick: (...times: number[]) => number, of: (one: Failing) => Instant) =>
    toIso(pick(...members.map(of)) as Instant)
  return {
    key,
    cause: newest.lastError,
    willRetry: members.every(({ willRetry }) => willRetry),
    firstAt: at(Math.min, ({ firstFailedAt }) => firstFailedAt),
    lastAt: at(Math.max, ({ lastFailedAt }) => lastFailedAt),
    failures: members.reduce((sum, { failures }) => sum + failures, 0),
    fault: newest.fault,
    jobs: members.map((one) => ({
      job: one.job,
      queue: one.queue,
      subject: one.subject,
      status: one.status,
      willRetry: one.willRetry,
      firstAt: toIso(one.firstFailedAt),
      lastAt: toIso(one.lastFailedAt),
      failures: one.failures,
      error: one.lastError,
      runId: one.runId,
    })),
  }
}

/** `ingest-candles binance 1m` */
export const workName = ({ job, subject }: Pick<FailingJobStatus, 'job' | 'subject'>): string =>
  [
    job,
    subject.source,
    subject.coinId ?? subject.view,
    subject.timeframe,
    subject.from && `from ${subject.from.slice(0, 16).replace('T', ' ')}`,
  ]
    .filter((part) => part !== undefined)
    .join(' ')

const namedJobs = 3
const longestCause = 200

export function failureMessage({ jobs, cause, firstAt, lastAt, failures, willRetry }: FailureGroup): string {
  const names = jobs.slice(0, namedJobs).map(workName).join(', ')
  const more = jobs.length > namedJobs ? ` and ${jobs.length - namedJobs} more` : ''
  const who = jobs.length === 1 ? names : `${counted(jobs.length, 'job')} (${names}${more})`
  const [first, last] = [firstAt, lastAt].map((iso) => toMinuteText(Date.parse(iso) as Instant))
  const when =
    failures === 1 ? `at ${last}` : `${counted(failures, 'time')}, first at ${first}, last at ${last}`
  const retry = willRetry ? ' and will be tried again' : ''
  const text = cause.length > longestCause ? `${cause.slice(0, longestCause)}…` : cause
  return `${who} failed ${when}${retry}: ${text.replace(/\.$/, '')}.`
}
