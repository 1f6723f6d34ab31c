import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq'
import { Aborted, Fault, RateLimited, Unavailable } from '../fault.ts'
import { type Instant, minute } from '../market/instant.ts'
import { systemClock } from '../runtime/clock.ts'
import type { EngineJob } from './engine.ts'
import { delayAfter, mostQuickTries } from './retries.ts'
import { storableError } from './storable.ts'
import { tickOf } from './tick.ts'

export type Decision =
  | Readonly<{ next: 'retry'; willRetry: boolean }>
  | Readonly<{ next: 'give-up'; willRetry: false }>
  | Readonly<{ next: 'wait'; willRetry: true; waitMs: number }>
  | Readonly<{ next: 'give-back'; willRetry: true }>

/** Errors other than Faults are retried. */
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
      // The next tick requests more anyway: after a long ban all would run at once.
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
  // Within a tick only an unavailable server deserves many tries.
  const isTick = nextTick !== Number.POSITIVE_INFINITY
  const isHopeless = isTick && failedTries >= mostQuickTries && !(error instanceof Unavailable)
  const isTaken = now + delayAfter(failedTries) >= nextTick
  if (isHopeless || isTaken) return { next: 'give-up', willRetry: false }
  return { next: 'retry', willRetry: true }
}

/** Infinity for jobs that are no tick. */
const nextTickAfter = (queued: EngineJob): number => tickOf(queued)?.nextDueAt ?? Number.POSITIVE_INFINITY

const isAbort = (error: unknown): boolean =>
  error instanceof Aborted || (error instanceof Error && error.name === 'AbortError')

/** Applies the decision in BullMQ and throws what BullMQ expects. */
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
      // BullMQ compares with the machine's clock.
      await queued.moveToDelayed(systemClock.now() + Math.max(0, Math.ceil(decision.waitMs)), token)
      throw new DelayedError()
    case 'give-back':
      await queued.moveToWait(token)
      throw new WaitingError()
    default:
      throw decision satisfies never
  }
}
