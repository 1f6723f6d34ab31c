import { setTimeout as wait } from 'node:timers/promises'
import { Aborted, Fault, RateLimited } from '../fault.ts'
import { second } from '../market/instant.ts'

/** Retries of a command, which has no queue. */
export type RetryPolicy = Readonly<{
  signal: AbortSignal
  /** Called before a pause. */
  onPause(reason: string, ms: number): void
}>

/** Consecutive failures. */
const tries = 5

/** Waits as the fault requires. Throws final faults, after too many failures, and Aborted. */
export async function pauseOrThrow(
  error: unknown,
  failures: number,
  { signal, onPause }: RetryPolicy,
): Promise<void> {
  if (!(error instanceof Fault) || error instanceof Aborted || error.remedy === 'give-up') throw error
  if (error.remedy === 'retry' && failures >= tries) throw error
  const ms = error instanceof RateLimited ? error.waitMs : second * 2 ** (failures - 1)
  onPause(error.message, ms)
  try {
    await wait(ms, undefined, { signal })
  } catch (cause) {
    throw new Aborted('stopped; run the same command again', { cause })
  }
}

/** `work` must be repeatable. */
export async function withRetries<T>(work: () => Promise<T>, retryPolicy: RetryPolicy): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work()
    } catch (error) {
      await pauseOrThrow(error, failures, retryPolicy)
    }
  }
}
