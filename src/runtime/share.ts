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
export function sharedFor<T>(keptMs: number, work: () => Promise<T>): () => Promise<T> {
  let kept: Readonly<{ value: T; at: number }> | undefined
  const renew = sharedWhileRunning(async () => {
    const value = await work()
    kept = { value, at: performance.now() }
    return value
  })
  return async () => (kept && performance.now() - kept.at < keptMs ? kept.value : renew())
}
