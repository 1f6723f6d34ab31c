import { jobs } from '../../../jobs/catalog.ts'
import { earlier, type Instant, later, minute, plus } from '../../market/instant.ts'
import type { Scheduled } from '../../queue/job.ts'
import { lastDue } from '../../queue/schedule.ts'
import { hasWorkers, workersSince } from '../../runtime/presence.ts'
import { lengthInWords } from '../../status/words.ts'
import { listCoins } from '../../store/coins.ts'
import { lastSuccess } from '../../store/runs.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, type Deps, error, type Finding, warning } from './check.ts'
import { shortened } from './words.ts'

/** Time for a due run to finish. */
const graceMs = 30 * minute

type Missing = Readonly<{ id: string; dueAt: Instant; lastRun: Instant | undefined }>

const ranBefore = ({ lastRun }: Missing): boolean => lastRun !== undefined

/** Recoverable runs have succeeded. */
export const overdueRuns: Check = {
  name: 'runs',
  run: async (deps): Promise<Finding[]> => {
    const missing = await findMissing(deps)
    if (missing.length === 0) return []
    const queueKind = deps.settings.environment.redisUrl === undefined ? 'postgres' : 'redis'
    const remedy = (await hasWorkers(deps.pool, queueKind))
      ? 'See why they fail: npx beacon status'
      : 'No process works on the queues, start one: npx beacon start'
    const since = await workersSince(deps.pool, queueKind)
    const namesOf = (some: readonly Missing[]) => shortened(some.map(({ id }) => id))
    const overdue = missing.filter(ranBefore)
    // A new daemon is still catching up.
    const never = missing.filter((one) => !ranBefore(one) && (since ?? 0) < plus(deps.now, -graceMs))
    const longestMs = deps.now - overdue.reduce((oldest, { dueAt }) => earlier(oldest, dueAt), deps.now)
    return [
      ...(overdue.length === 0
        ? []
        : [error(`Overdue for ${lengthInWords(longestMs)}: ${namesOf(overdue)}.`, remedy)]),
      // Normal before a first start.
      ...(never.length === 0 ? [] : [warning(`Never ran well: ${namesOf(never)}.`, remedy)]),
    ]
  },
}

export const isWorkOutstanding = async (deps: Deps): Promise<boolean> =>
  (await findMissing(deps, 0)).length > 0

async function findMissing({ pool, settings, now }: Deps, toleranceMs = graceMs): Promise<Missing[]> {
  const db = databaseOf(pool)
  const coins = await listCoins(db)
  const missing: Missing[] = []
  for (const job of jobs) {
    for (const scheduled of job.schedules?.(settings, coins) ?? []) {
      if (scheduled.whenMissed === 'skip') continue
      const { id, payload } = scheduled
      const dueAt = lastToHaveRun(scheduled, plus(now, -toleranceMs))
      if (dueAt === undefined) continue
      const last = await lastSuccess(db, job.name, payload)
      if (last === undefined || last < dueAt) missing.push({ id, dueAt, lastRun: last })
    }
  }
  return missing
}

/** Undefined if its work is too new. */
function lastToHaveRun(
  { pattern, changedAt, missedDelayMs = 0 }: Scheduled<unknown>,
  then: Instant,
): Instant | undefined {
  const overBy = plus(then, -missedDelayMs)
  const due = lastDue(pattern, overBy)
  if (changedAt === undefined) return due
  return changedAt > overBy ? undefined : later(due, changedAt)
}
