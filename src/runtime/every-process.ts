import { schedule } from 'node-cron'
import { onClockStep } from './clock-steps.ts'
import type { Log } from './log.ts'

/**
 * Does the work at every time of the pattern (UTC), in each process by itself and never twice at once, until it is
 * destroyed. A time that a busy process lets pass is left out; where the clock is set, the next time is found anew.
 */
export function everyProcess(
  pattern: string,
  work: () => Promise<void>,
  log: Log,
): Readonly<{ destroy(): void | Promise<void> }> {
  const telling = (level: 'debug' | 'error') => (reported: string | Error) =>
    log[level]('process.timer', { pattern, reason: reported instanceof Error ? reported.message : reported })
  let isRunning = false
  // Of a run under way node-cron knows nothing any more once it has been started anew.
  const once = async () => {
    if (isRunning) return
    isRunning = true
    try {
      await work()
    } finally {
      isRunning = false
    }
  }
  const task = schedule(pattern, once, {
    timezone: 'UTC',
    noOverlap: true,
    // Its own logger would write lines of another form among ours.
    logger: {
      debug: telling('debug'),
      info: telling('debug'),
      warn: telling('debug'),
      error: telling('error'),
    },
  })
  // It waits for a time that the clock had shown before: an hour, where it was an hour ahead.
  const forget = onClockStep(async () => {
    await task.stop()
    await task.start()
  })
  return {
    destroy: () => {
      forget()
      return task.destroy()
    },
  }
}
