import { schedule } from 'node-cron'
import { onClockStep } from './clock-steps.ts'
import type { Log } from './log.ts'

/** Runs work on a cron pattern (UTC) in this process, never concurrently; missed times are skipped. */
export function everyProcess(
  pattern: string,
  work: () => Promise<void>,
  log: Log,
): Readonly<{ destroy(): void | Promise<void> }> {
  const telling = (level: 'debug' | 'error') => (reported: string | Error) =>
    log[level]('process.timer', { pattern, reason: reported instanceof Error ? reported.message : reported })
  let isRunning = false
  // A restarted node-cron task does not know its running work.
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
    // Its logger has another format.
    logger: {
      debug: telling('debug'),
      info: telling('debug'),
      warn: telling('debug'),
      error: telling('error'),
    },
  })
  // node-cron waits for the time computed before the clock change.
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
