import { second } from '../../market/instant.ts'
import { StoreRefusal } from '../../queue/store.ts'
import type { Log } from '../../runtime/log.ts'
import { reasonOf } from '../../runtime/when-answering.ts'
import { within } from '../../runtime/within.ts'
import { serverStateOf } from '../../store/connection/server-state.ts'
import { requireWritable } from '../../store/connection/writable.ts'
import { checkClock } from './check-clock.ts'
import { checkSchedule } from './check-schedule.ts'
import { checkWork } from './check-work.ts'
import type { ReadinessDeps } from './readiness-deps.ts'

/** `reason` is public: no address, login or statement. */
type Check = Readonly<{ ok: true } | { ok: false; reason: string }>

export type Readiness = Readonly<Record<'database' | 'queue' | 'schedule' | 'work' | 'clock', Check>>

/** Checks run in parallel, within five seconds. */
const checkLimitMs = 4 * second

/** Tests over the jobs' own connections. */
export async function readReadiness(deps: ReadinessDeps): Promise<Readiness> {
  const { pool, engine, log } = deps
  const check = (name: string, silence: string, work: () => Promise<unknown>) =>
    carryOut(log, name, silence, work)
  const [database, queue, schedule, work, clock] = await Promise.all([
    check('database', silenceOfDatabase(deps), () => requireWritable(pool)),
    check('queue', 'the queue does not answer', () => engine.check()),
    check('schedule', 'the schedule does not answer', () => checkSchedule(deps)),
    check('work', 'the progress of the jobs cannot be read', () => checkWork(deps)),
    check('clock', 'the clock of the database does not answer', () => checkClock(deps)),
  ])
  return { database, queue, schedule, work, clock }
}

/** Public: the server's log may name files. */
function silenceOfDatabase({ whyDown }: ReadinessDeps): string {
  const why = whyDown?.()
  if (why === undefined) return 'the database does not answer'
  const isFull = /No space left on device/.test(why)
  return `the embedded PostgreSQL has ended and cannot be started again${isFull ? ': its disk is full' : ''}`
}

/** A string result is the problem; other errors are logged only. */
async function carryOut(
  log: Log,
  name: string,
  silence: string,
  work: () => Promise<unknown>,
): Promise<Check> {
  try {
    const found = await within(checkLimitMs, work(), `${silence} within ${checkLimitMs / second} s`)
    return typeof found === 'string' ? { ok: false, reason: found } : { ok: true }
  } catch (error) {
    log.warn('health.not-ready', { check: name, reason: reasonOf(error) })
    return { ok: false, reason: publicReason(error) ?? silence }
  }
}

const publicReason = (error: unknown): string | undefined =>
  error instanceof StoreRefusal ? error.message : serverStateOf(error)
