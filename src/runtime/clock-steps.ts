import { second } from '../market/instant.ts'
import { steadyClock, systemClock } from './clock.ts'

/** A clock that is slewed, as NTP does with small errors, moves less between two checks. */
const smallestStepMs = 2 * second
const checkEveryMs = second

/** Calls the listener when the machine's clock has been set, with how far it was moved; until the returned function is called. */
export function onClockStep(listener: (byMs: number) => void): () => void {
  const offset = () => systemClock.now() - steadyClock.now()
  let before = offset()
  const timer = setInterval(() => {
    const now = offset()
    const byMs = now - before
    before = now
    if (Math.abs(byMs) >= smallestStepMs) listener(byMs)
  }, checkEveryMs)
  timer.unref()
  return () => clearInterval(timer)
}
