import { setTimeout } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'

const lookEveryMs = 250

/** Below the limit of a test, so that a busy machine fails nothing and the failure shows what was read last. */
const longestWaitMs = 110_000

/**
 * Waits until what is read equals what is wanted. In place of `expect.poll`, which knows only one test at a time:
 * these take long, mostly waiting for other processes, and run side by side.
 */
export async function eventually<T>(
  read: () => Promise<T> | T,
  wanted: T,
  withinMs = longestWaitMs,
): Promise<void> {
  const deadline = AbortSignal.timeout(withinMs)
  let last = await read()
  while (!isDeepStrictEqual(last, wanted) && !deadline.aborted) {
    await setTimeout(lookEveryMs)
    last = await read()
  }
  expect(last).toEqual(wanted)
}
