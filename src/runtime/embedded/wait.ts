import { setTimeout } from 'node:timers/promises'

/** Looks again every 10 ms until there is something; undefined when there was nothing for `timeoutMs`. */
export async function waitFor<T>(
  look: () => Promise<T | undefined>,
  timeoutMs: number,
): Promise<T | undefined> {
  const deadline = AbortSignal.timeout(timeoutMs)
  for (;;) {
    const found = await look()
    if (found !== undefined || deadline.aborted) return found
    await setTimeout(10)
  }
}
