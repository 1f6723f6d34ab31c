import { isDeepStrictEqual } from 'node:util'
import { CronExpressionParser } from 'cron-parser'
import { InvalidInput } from '../fault.ts'
import { type Instant, minute, plus, second, toInstant } from '../market/instant.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Settings } from '../settings.ts'
import type { Coin } from '../store/coins.ts'
import { underLock } from '../store/locks.ts'
import type { Engine, EngineQueue } from './engine.ts'
import { heartbeat } from './heartbeat.ts'
import type { AnyJob, Scheduled } from './job.ts'
import { jobOptions } from './job-options.ts'
import { readStorablePayload } from './payload.ts'
import { nextDue, retriesOf } from './retries.ts'

export type ScheduleOptions = Readonly<{
  engine: Engine
  /** All queues: undeclared schedules are removed from each. */
  queues: readonly string[]
  jobs: readonly AnyJob[]
  settings: Settings
  coins: readonly Coin[]
  databaseUrl: string
  /** The shared clock. */
  now: Instant
  log: Log
}>

export const idPrefix = 'beacon.'

type Repeat = Readonly<{ pattern: string; tz: 'UTC' } | { every: number }>
type Template = Readonly<{ name: string; data: unknown; opts: object }>
type Wanted = Readonly<{ queue: string; id: string; repeat: Repeat; template: Template }>

/**
 * Makes the stored schedules equal to the declared ones, with a heartbeat in each queue; idempotent. Call at start and
 * every few minutes: Redis may be flushed and coins change. Returns the ids written. Throws InvalidInput for a bad
 * pattern or payload before writing.
 */
export async function registerSchedules(options: ScheduleOptions): Promise<ReadonlySet<string>> {
  const { engine, queues, jobs, settings, coins, databaseUrl, now, log } = options
  const declared = jobs.flatMap((job) => schedulesOf(job, settings, coins))
  const wanted = [...queuesOf(declared).map(heartbeatOf), ...declared]
  const written = new Set<string>()
  for (const scheduler of wanted) {
    if (!(await ensureScheduler(engine, databaseUrl, scheduler, now))) continue
    written.add(scheduler.id.slice(idPrefix.length))
    log.debug('schedule.written', { queue: scheduler.queue, scheduler: scheduler.id })
  }
  for (const name of new Set([...queues, ...wanted.map(({ queue }) => queue)])) {
    const kept = new Set(wanted.filter(({ queue }) => queue === name).map(({ id }) => id))
    for (const id of await removeOthers(engine.queue(name), kept, databaseUrl)) {
      log.info('schedule.removed', { queue: name, scheduler: id })
    }
  }
  return written
}

const queuesOf = (schedules: readonly Wanted[]): string[] => [...new Set(schedules.map(({ queue }) => queue))]

export const scheduledQueues = (
  jobs: readonly AnyJob[],
  settings: Settings,
  coins: readonly Coin[],
): string[] => queuesOf(jobs.flatMap((job) => schedulesOf(job, settings, coins)))

export const heartbeatSchedule = `${idPrefix}${heartbeat.jobName}`

const heartbeatOf = (queue: string): Wanted => ({
  queue,
  id: heartbeatSchedule,
  repeat: { every: heartbeat.everyMs },
  template: { name: heartbeat.jobName, data: {}, opts: heartbeat.options },
})

const schedulesOf = (job: AnyJob, settings: Settings, coins: readonly Coin[]): Wanted[] =>
  (job.schedules?.(settings, coins) ?? []).map((scheduled) => wantedFor(job, scheduled))

function wantedFor(job: AnyJob, { id, pattern, payload }: Scheduled<unknown>): Wanted {
  // Rejects a bad pattern with our message.
  lastDue(pattern, systemClock.now())
  const data = readStorablePayload(job, payload)
  return {
    queue: job.queueOf(data),
    id: `${idPrefix}${id}`,
    repeat: { pattern, tz: 'UTC' },
    template: { name: job.name, data, opts: { ...jobOptions(job), ...retriesOf(job, pattern) } },
  }
}

/** Returns whether it was written. Rewriting an unchanged one would delete a due tick. */
async function ensureScheduler(
  engine: Engine,
  databaseUrl: string,
  wanted: Wanted,
  now: Instant,
): Promise<boolean> {
  const queue = engine.queue(wanted.queue)
  if ((await stateOf(queue, wanted, now)) === 'right') return false
  return underLock(databaseUrl, lockName(queue, wanted.id), async () => {
    const state = await stateOf(queue, wanted, now)
    if (state === 'right') return false
    if (state === 'broken') await removeBroken(engine, queue, wanted, now)
    await queue.upsertJobScheduler(wanted.id, wanted.repeat, wanted.template)
    return true
  })
}

/**
 * Overwriting keeps the next time of even intervals; a future run created by a fast clock would block the right one.
 */
async function removeBroken(
  engine: Engine,
  queue: EngineQueue,
  { id, repeat }: Wanted,
  now: Instant,
): Promise<void> {
  await queue.removeJobScheduler(id)
  if ('every' in repeat) return
  const times = [plus(now, -toleranceMs), now, plus(now, toleranceMs)].map((time) =>
    nextDue(repeat.pattern, time),
  )
  for (const time of new Set(times)) await engine.forgetJob(queue, `repeat:${id}:${time}`)
}

async function stateOf(
  queue: EngineQueue,
  { id, repeat, template }: Wanted,
  now: Instant,
): Promise<'right' | 'other' | 'broken'> {
  const stored = await queue.getJobScheduler(id)
  if (stored === undefined) return 'other'
  const found = {
    repeat: 'pattern' in repeat ? { pattern: stored.pattern, tz: stored.tz } : { every: stored.every },
    name: stored.name,
    data: stored.template?.data ?? {},
    opts: stored.template?.opts ?? {},
  }
  if (!isDeepStrictEqual(found, { repeat, ...asStored(template) })) return 'other'
  return (await isBroken(queue, id, repeat, stored.next, now)) ? 'broken' : 'right'
}

/** Clock difference, and delay of a busy worker. */
const toleranceMs = 5 * second
const busyMs = 2 * minute

/** Broken: the next run is later than due (clock was ahead), or overdue without a waiting job. */
async function isBroken(
  queue: EngineQueue,
  id: string,
  repeat: Repeat,
  next: number | undefined,
  now: Instant,
): Promise<boolean> {
  if (next === undefined) return false
  const latest = 'pattern' in repeat ? nextDue(repeat.pattern, now) : plus(now, repeat.every)
  if (next > latest + toleranceMs) return true
  if (next > now - busyMs) return false
  const state = await queue.getJobState(`repeat:${id}:${next}`)
  return state === 'unknown' || state === 'completed' || state === 'failed'
}

/** JSON drops undefined. */
const asStored = (template: Template): Template => JSON.parse(JSON.stringify(template))

async function removeOthers(
  queue: EngineQueue,
  kept: ReadonlySet<string>,
  databaseUrl: string,
): Promise<string[]> {
  const schedulers = await queue.getJobSchedulers(0, -1)
  const others = schedulers.map(({ key }) => key).filter((id) => id.startsWith(idPrefix) && !kept.has(id))
  for (const id of others) {
    await underLock(databaseUrl, lockName(queue, id), () => queue.removeJobScheduler(id))
  }
  return others
}

const lockName = (queue: EngineQueue, id: string): string => `schedule ${queue.name} ${id}`

/** Last due time (cron, UTC), including `now`. Throws InvalidInput for a bad pattern. */
export function lastDue(pattern: string, now: Instant): Instant {
  try {
    // prev() is exclusive.
    const expression = CronExpressionParser.parse(pattern, { currentDate: plus(now, 1), tz: 'UTC' })
    return toInstant(expression.prev().getTime())
  } catch (error) {
    throw new InvalidInput(`"${pattern}" is not a cron pattern of 5 or 6 fields that is ever due`, {
      cause: error,
    })
  }
}
