import { setMaxListeners } from 'node:events'

export type Deadline = Readonly<{
  signal: AbortSignal
  /** Whether the time was up, and not the other signal aborted. */
  hasPassed(): boolean
  /** Lets go of the other signal; to be called when the work has ended. */
  release(): void
}>

/**
 * A signal that aborts with the other one, or when the time is up: the timeout of axios is one of silence, and a body that
 * drips for ever would never end. By hand, since AbortSignal.any costs more, and on Node 20 keeps every signal it ever made
 * for as long as the other lives.
 */
export function deadlineOf(other: AbortSignal, limitMs: number): Deadline {
  const ending = new AbortController()
  const end = () => ending.abort()
  let hasPassed = false
  const timer = setTimeout(() => {
    hasPassed = true
    end()
  }, limitMs)
  // All requests of a job listen to the same one.
  setMaxListeners(0, other)
  other.addEventListener('abort', end)
  if (other.aborted) end()
  return {
    signal: ending.signal,
    hasPassed: () => hasPassed,
    release: () => {
      clearTimeout(timer)
      other.removeEventListener('abort', end)
    },
  }
}
