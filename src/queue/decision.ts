import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq'
import { Aborted, Fault, RateLimited, Unavailable } from '../fault.ts'
import { type Instant, minute } from '../market/instant.ts'
import { systemClock } from '../runtime/clock.ts'
import type { EngineJob } from './engine.ts'
import { delayAfter, mostQuickTries } from './retries.ts'
import { storableError } from './storable.ts'
import { tickOf } from './tick.ts'

/** What becomes of a job that threw. */
export type Decision =
  | Readonly<{ next: 'retry'; willRetry: boolean }>
  | Readonly<{ next: 'give-up'; willRetry: false }>
  | Readonly<{ next: 'wait'; willRetry: true; waitMs: number }>
  | Readonly<{ next: 'give-back'; willRetry: true }>

/** Decides from the error alone. Whoever threw a Fault knows best; any other error is tried again like a `retry`. */
export function evaluate(
  error: unknown,
  queued: EngineJob,
  isStopping: boolean,
  now: Instant = systemClock.now(),
): Decision {
  if (isStopping && isAbort(error)) return { next: 'give-back', willRetry: true }
  const remedy = error instanceof Fault ? error.remedy : 'retry'
  switch (remedy) {
    case 'give-up':
      return { next: 'give-up', willRetry: false }
    case 'wait': {
      const waitMs = error instanceof RateLimited ? error.waitMs : minute
      // The next tick finds more missing: after a long ban all of them would run at once.
      if (now + waitMs >= nextTickAfter(queued)) return { next: 'give-up', willRetry: false }
      return { next: 'wait', willRetry: true, waitMs }
    }
    case 'retry':
      return afterFailure(error, queued, now)
    default:
      return remedy satisfies never
  }
}

function afterFailure(error: unknown, queued: EngineJob, now: Instant): Decision {
  const failedTries = queued.attemptsMade + 1
  if (failedTries >= (queued.opts.attempts ?? 1)) return { next: 'retry', willRetry: false }
  const nextTick = nextTickAfter(queued)
  // Of the tries until the next tick, only a server that is out of order is worth more than a few.
  const isTick = nextTick !== Number.POSITIVE_INFINITY
  const isHopeless = isTick && failedTries >= mostQuickTries && !(error instanceof Unavailable)
  const isTaken = now + delayAfter(failedTries) >= nextTick
  if (isHopeless || isTaken) return { next: 'give-up', willRetry: false }
  return { next: 'retry', willRetry: true }
}

/** When the schedule's next tick takes the place of this one; never for what is no tick. */
const nextTickAfter = (queued: EngineJob): number => tickOf(queued)?.nextDueAt ?? Number.POSITIVE_INFINITY

const isAbort = (error: unknown): boolean =>
  error instanceof Aborted || (error instanceof Error && error.name === 'AbortError')

/** Tells the queue, and throws what it then expects to be thrown. */
export async function carryOut(
  decision: Decision,
  error: unknown,
  queued: EngineJob,
  token: string | undefined,
): Promise<never> {
  const stored = storableError(error)
  switch (decision.next) {
    case 'retry':
      throw stored
    case 'give-up':
      throw Object.assign(new UnrecoverableError(stored.message), { cause: error, stack: stored.stack })
    case 'wait':
      // The queue's own time is the machine's, whatever clock the job was given.
      await queued.moveToDelayed(systemClock.now() + Math.max(0, Math.ceil(decision.waitMs)), token)
      throw new DelayedError()
    case 'give-back':
      await queued.moveToWait(token)
      throw new WaitingError()
    default:
      throw decision satisfies never
  }
}
