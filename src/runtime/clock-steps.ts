import { second } from '../market/instant.ts'
import { steadyClock, systemClock } from './clock.ts'

/** NTP slewing moves the clock less than this between checks. */
const smallestStepMs = 2 * second
const checkEveryMs = second

/** Reports steps of the machine's clock in ms, until the returned function is called. */
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
