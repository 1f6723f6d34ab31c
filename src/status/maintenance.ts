import type { Pool } from 'pg'
import { enforceRetention } from '../../jobs/enforce-retention.ts'
import { type DescribedPlan, describePlan } from '../lifecycle/describe-retention.ts'
import { foreseeRetention } from '../lifecycle/retention-plan.ts'
import { type Instant, toInstant, toIso } from '../market/instant.ts'
import type { AnyJob } from '../queue/job.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Settings } from '../settings.ts'
import { type Coin, listCoins } from '../store/coins.ts'
import { type CheckResult, readLastCheck } from '../store/digests/archive-checks.ts'
import { type ArchiveSummary, readArchiveSummary } from '../store/lifecycle/archives/archive-summary.ts'
import { type LastRun, readLastRuns } from '../store/runs/job-figures.ts'
import { databaseOf } from '../store/transaction.ts'
import { describeSchedules } from './schedules.ts'

type Deps = Readonly<{ settings: Settings; pool: Pool; clock: Clock; jobs: readonly AnyJob[] }>

/** Last and next run of a job. */
type JobStatus = Readonly<{
  job: string
  summary: string
  /** 0: only on request. */
  schedules: number
  /** The earliest of its schedules. */
  nextRun: string | null
  lastRun: Readonly<{
    startedAt: string
    status: LastRun['status']
    willRetry: boolean
    tookMs: number | null
    error: string | null
  }> | null
}>

type ArchiveStatus = Readonly<
  Omit<ArchiveSummary, 'newest' | 'lastVerifiedAt' | 'longestUnreadAt'> & {
    newest: Readonly<{ name: string; rows: number; bytes: number; createdAt: string }> | null
    lastVerifiedAt: string | null
    longestUnreadAt: string | null
    /** Last archive check; null if none. */
    lastCheck: CheckStatus | null
  }
>

type CheckStatus = Readonly<
  Omit<CheckResult, 'coinIds' | 'checkedAt' | 'problems'> & {
    checkedAt: string
    problems: number
    /** With remedies. */
    first: CheckResult['problems']
  }
>

export type Maintenance = Readonly<{ jobs: readonly JobStatus[]; archives: ArchiveStatus }>

/** Maintenance jobs and archive. */
export async function readMaintenance({ settings, pool, clock, jobs }: Deps): Promise<Maintenance> {
  const db = databaseOf(pool)
  const [coins, lastRuns, archives, check] = await Promise.all([
    listCoins(db),
    readLastRuns(
      db,
      jobs.map(({ name }) => name),
    ),
    readArchiveSummary(db),
    readLastCheck(db),
  ])
  return {
    jobs: describeJobs(jobs, settings, coins, lastRuns, clock.now()),
    archives: describeArchives(archives, check),
  }
}

function describeJobs(
  jobs: readonly AnyJob[],
  settings: Settings,
  coins: readonly Coin[],
  lastRuns: readonly LastRun[],
  now: Instant,
): JobStatus[] {
  const due = describeSchedules(jobs, settings, coins, now)
  return jobs.map(({ name, summary }) => {
    const own = due.filter(({ job }) => job === name)
    const last = lastRuns.find(({ job }) => job === name)
    return {
      job: name,
      summary,
      schedules: own.length,
      nextRun: own[0]?.nextRun ?? null,
      lastRun: last
        ? {
            startedAt: toIso(last.startedAt),
            status: last.status,
            willRetry: last.willRetry,
            tookMs: last.tookMs ?? null,
            error: last.error ?? null,
          }
        : null,
    }
  })
}

const isoOrNull = (instant: Instant | undefined): string | null =>
  instant === undefined ? null : toIso(instant)

const shownProblems = 5

const describeArchives = (
  { newest, lastVerifiedAt, longestUnreadAt, ...sums }: ArchiveSummary,
  check: CheckResult | undefined,
): ArchiveStatus => ({
  ...sums,
  newest: newest ? { ...newest, createdAt: toIso(newest.createdAt) } : null,
  lastVerifiedAt: isoOrNull(lastVerifiedAt),
  longestUnreadAt: isoOrNull(longestUnreadAt),
  lastCheck: check ? describeCheck(check) : null,
})

const describeCheck = ({ coinIds: _, checkedAt, problems, ...sums }: CheckResult): CheckStatus => ({
  ...sums,
  checkedAt: toIso(checkedAt),
  problems: problems.length,
  first: problems.slice(0, shownProblems),
})

export type NextRetention = DescribedPlan & Readonly<{ nextRun: string }>

/** Like `beacon retention --dry-run` at the next run's time. */
export async function readNextRetention({ settings, pool, clock }: Deps): Promise<NextRetention> {
  const [next] = describeSchedules([enforceRetention], settings, [], clock.now())
  if (!next) throw new Error(`${enforceRetention.name} has no time table`)
  const at = toInstant(Date.parse(next.nextRun))
  return { nextRun: next.nextRun, ...describePlan(await foreseeRetention({ pool, settings, clock }, at)) }
}
