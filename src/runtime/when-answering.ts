import { setTimeout as pause } from 'node:timers/promises'
import { Aborted, Fault, Unavailable } from '../fault.ts'
import { second } from '../market/instant.ts'
import { joinSignals } from './joined-signal.ts'
import type { Log } from './log.ts'

export type WaitPolicy = Readonly<{
  log: Log
  /** In ms. */
  waitMs: number
  signal?: AbortSignal
}>

const firstPauseMs = 250
const longestPauseMs = 4 * second

export const silenceOf = (who: string, waitMs: number): string =>
  waitMs === 0 ? `${who} does not answer` : `${who} did not answer within ${waitMs / second} s`

/**
 * Retries until it works. Throws Unavailable with `message` on timeout (or the last Fault), Aborted, and unretryable
 * errors at once.
 */
export async function whenAnswering<T>(
  attempt: () => Promise<T>,
  message: string,
  { log, waitMs, signal }: WaitPolicy,
): Promise<T> {
  const ending = joinSignals([signal], waitMs)
  try {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      if (signal?.aborted) throw new Aborted('stopped while waiting for an answer')
      try {
        return await attempt()
      } catch (error) {
        refuseToRetry(error)
        if (ending.isLate()) throw error instanceof Fault ? error : new Unavailable(message, { cause: error })
        if (pauseMs === firstPauseMs) log.warn('engine.waiting', { for: message, reason: reasonOf(error) })
        await pauseUnlessOver(pauseMs, ending.signal)
      }
    }
  } finally {
    ending.release()
  }
}

/** Faults to give up, and bugs. */
function refuseToRetry(error: unknown): void {
  if (error instanceof Aborted || (error instanceof Fault && error.remedy === 'give-up')) throw error
  if (error instanceof TypeError || error instanceof ReferenceError) throw error
}

const pauseUnlessOver = (ms: number, over: AbortSignal): Promise<void> =>
  over.aborted ? Promise.resolve() : pause(ms, undefined, { signal: over }).catch(() => undefined)

/** Node's AggregateError of several addresses has no message. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  return error instanceof Error ? error.message || error.name : String(error)
}
