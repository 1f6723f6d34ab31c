import { setMaxListeners } from 'node:events'

/** Aborts with the first of several signals, or when its time is up, until it is released. */
export type JoinedSignal = Readonly<{
  signal: AbortSignal
  /** Whether the time was up before any of the signals aborted. */
  isLate(): boolean
  /** Stops listening to the signals; to be called when the work has ended. */
  release(): void
}>

/**
 * In place of AbortSignal.any, which on Node 20 keeps every signal it ever made for as long as one of its sources lives:
 * that of a process lives as long as the daemon.
 */
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
  // All requests of a job listen to the same one.
  setMaxListeners(0, source)
  source.addEventListener('abort', abort)
  return () => source.removeEventListener('abort', abort)
}
