import { setTimeout } from 'node:timers/promises'

/** Polls every 10 ms; undefined after `timeoutMs`. */
export async function waitFor<T>(
  check: () => Promise<T | undefined>,
  timeoutMs: number,
): Promise<T | undefined> {
  const deadline = AbortSignal.timeout(timeoutMs)
  for (;;) {
    const found = await check()
    if (found !== undefined || deadline.aborted) return found
    await setTimeout(10)
  }
}
