import { setMaxListeners } from 'node:events'

/** Aborts with the first signal or after the limit, until released. */
export type JoinedSignal = Readonly<{
  signal: AbortSignal
  /** Whether the limit came first. */
  isLate(): boolean
  /** Stops listening; call when work ends. */
  release(): void
}>

/** On Node 20 AbortSignal.any leaks a signal per call while a source lives. */
export function joinSignals(sources: readonly (AbortSignal | undefined)[], limitMs?: number): JoinedSignal {
  const controller = new AbortController()
  const releases = sources
    .filter((source) => source !== undefined)
    .map((source) => follow(source, controller))
  let late = false
  const expire = () => {
    late = !controller.signal.aborted
    controller.abort(new DOMException('the time is up', 'TimeoutError'))
  }
  const timer = limitMs === undefined ? undefined : setTimeout(expire, limitMs)
  return {
    signal: controller.signal,
    isLate: () => late,
    release: () => {
      clearTimeout(timer)
      for (const release of releases) release()
    },
  }
}

function follow(source: AbortSignal, controller: AbortController): () => void {
  const abort = () => controller.abort(source.reason)
  if (source.aborted) abort()
  // All requests of a job listen to one signal.
  setMaxListeners(0, source)
  source.addEventListener('abort', abort)
  return () => source.removeEventListener('abort', abort)
}
