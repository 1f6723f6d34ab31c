import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq'
import { Aborted, Fault, RateLimited } from '../fault.ts'
import { minute } from '../market/instant.ts'
import { systemClock } from '../runtime/clock.ts'
import type { EngineJob } from './engine.ts'
import { storableError } from './storable.ts'

/** What becomes of a job that threw. */
export type Verdict =
  | Readonly<{ next: 'retry'; willRetry: boolean }>
  | Readonly<{ next: 'give-up'; willRetry: false }>
  | Readonly<{ next: 'wait'; willRetry: true; waitMs: number }>
  | Readonly<{ next: 'give-back'; willRetry: true }>

/** Decides from the error alone. Whoever threw a Fault knows best; any other error is tried again like a `retry`. */
export function judge(error: unknown, queued: EngineJob, isStopping: boolean): Verdict {
  if (isStopping && isAbort(error)) return { next: 'give-back', willRetry: true }
  const remedy = error instanceof Fault ? error.remedy : 'retry'
  switch (remedy) {
    case 'give-up':
      return { next: 'give-up', willRetry: false }
    case 'wait':
      // A tick is not kept for later: the next one finds more owed, and after a long ban they would all run at once.
      if (queued.repeatJobKey !== undefined) return { next: 'give-up', willRetry: false }
      return { next: 'wait', willRetry: true, waitMs: error instanceof RateLimited ? error.waitMs : minute }
    case 'retry':
      return { next: 'retry', willRetry: queued.attemptsMade + 1 < (queued.opts.attempts ?? 1) }
    default:
      return remedy satisfies never
  }
}

const isAbort = (error: unknown): boolean =>
  error instanceof Aborted || (error instanceof Error && error.name === 'AbortError')

/** Tells the queue, and throws what it then expects to be thrown. */
export async function carryOut(
  verdict: Verdict,
  error: unknown,
  queued: EngineJob,
  token: string | undefined,
): Promise<never> {
  const stored = storableError(error)
  switch (verdict.next) {
    case 'retry':
      throw stored
    case 'give-up':
      throw Object.assign(new UnrecoverableError(stored.message), { cause: error, stack: stored.stack })
    case 'wait':
      // The queue's own time is the machine's, whatever clock the job was given.
      await queued.moveToDelayed(systemClock.now() + Math.max(0, Math.ceil(verdict.waitMs)), token)
      throw new DelayedError()
    case 'give-back':
      await queued.moveToWait(token)
      throw new WaitingError()
    default:
      throw verdict satisfies never
  }
}
