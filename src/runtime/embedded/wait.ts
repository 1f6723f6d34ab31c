import { setTimeout } from 'node:timers/promises'

/** Looks again every 10 ms until there is something; undefined when there was nothing for `timeoutMs`. */
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
