export function sharedWhileRunning<T>(work: () => Promise<T>): () => Promise<T> {
  let underway: Promise<T> | undefined
  return () => {
    underway ??= work().finally(() => {
      underway = undefined
    })
    return underway
  }
}

/** Like sharedWhileRunning; keeps a success for `keptMs`, retries failures. */
export function sharedFor<T>(keptMs: number, work: () => Promise<T>): () => Promise<T> {
  let kept: Readonly<{ value: T; at: number }> | undefined
  const renew = sharedWhileRunning(async () => {
    const value = await work()
    kept = { value, at: performance.now() }
    return value
  })
  return async () => (kept && performance.now() - kept.at < keptMs ? kept.value : renew())
}
