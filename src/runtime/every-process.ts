import { schedule } from 'node-cron'
import type { Log } from './log.ts'

/**
 * Does the work at every time of the pattern (UTC), in each process by itself and never twice at once, until it is
 * destroyed. A time that a busy process lets pass is left out.
 */
export function everyProcess(
  pattern: string,
  work: () => Promise<void>,
  log: Log,
): Readonly<{ destroy(): void | Promise<void> }> {
  const telling = (level: 'debug' | 'error') => (told: string | Error) =>
    log[level]('process.timer', { pattern, reason: told instanceof Error ? told.message : told })
  return schedule(pattern, work, {
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
}
