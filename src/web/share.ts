import type { Clock } from '../runtime/clock.ts'

/** The work, done once for all who ask while it is under way. */
export function sharedWhileRunning<T>(work: () => Promise<T>): () => Promise<T> {
  let underway: Promise<T> | undefined
  return () => {
    underway ??= work().finally(() => {
      underway = undefined
    })
    return underway
  }
}

/** The same, and what it gave is told again for so long. What failed is tried again by whoever asks next. */
export function sharedFor<T>(keptMs: number, clock: Clock, work: () => Promise<T>): () => Promise<T> {
  let kept: Readonly<{ value: T; at: number }> | undefined
  const renew = sharedWhileRunning(async () => {
    const value = await work()
    kept = { value, at: clock.now() }
    return value
  })
  return async () => (kept && clock.now() - kept.at < keptMs ? kept.value : renew())
}

/** Work that may be begun before somebody asks for it. */
export type Ahead<T> = Readonly<{ begin(): void; take(): Promise<T> }>

/** What was begun goes to the first who asks while it is still new; everybody else has it done for them. */
export function ahead<T>(newMs: number, work: () => Promise<T>): Ahead<T> {
  let begun: Readonly<{ result: Promise<T>; at: number }> | undefined
  return {
    begin: () => {
      begun = { result: work(), at: performance.now() }
      // Whoever takes it hears of a failure; it may be that nobody does.
      begun.result.catch(() => undefined)
    },
    take: () => {
      const waiting = begun
      begun = undefined
      return waiting && performance.now() - waiting.at < newMs ? waiting.result : work()
    },
  }
}
