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
