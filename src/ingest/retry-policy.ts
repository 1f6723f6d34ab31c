import { setTimeout as wait } from 'node:timers/promises'
import { Aborted, Fault, RateLimited } from '../fault.ts'
import { second } from '../market/instant.ts'

/** How a command asks a source itself, where no queue would put its work back. */
export type RetryPolicy = Readonly<{
  signal: AbortSignal
  /** Is told why nothing happens for a while. */
  onPause(reason: string, ms: number): void
}>

/** In a row, without anything that came of it. */
const tries = 5

/**
 * Waits for as long as the fault asks for, so that the work can be tried again. Throws what cannot be overcome, what has
 * failed too often in a row, and Aborted when told to stop.
 */
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

/** Does work that may be done again from its beginning. */
export async function withRetries<T>(work: () => Promise<T>, retryPolicy: RetryPolicy): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work()
    } catch (error) {
      await pauseOrThrow(error, failures, retryPolicy)
    }
  }
}
