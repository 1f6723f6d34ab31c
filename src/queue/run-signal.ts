/** A signal that aborts with the first of the others, for as long as it is not released. */
export type RunSignal = Readonly<{ signal: AbortSignal; release(): void }>

/**
 * Like AbortSignal.any, which on Node 20 keeps every signal it ever made for as long as one of its sources lives;
 * and the process' own lives as long as the daemon.
 */
export function runSignal(sources: readonly (AbortSignal | undefined)[]): RunSignal {
  const controller = new AbortController()
  const releases = sources
    .filter((source) => source !== undefined)
    .map((source) => {
      const abort = () => controller.abort(source.reason)
      if (source.aborted) abort()
      source.addEventListener('abort', abort)
      return () => source.removeEventListener('abort', abort)
    })
  return {
    signal: controller.signal,
    release: () => {
      for (const release of releases) release()
    },
  }
}
