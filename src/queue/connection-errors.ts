import { type Instant, minute } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { reasonOf } from '../runtime/when-answering.ts'

const quietMs = minute

/** Logs each queue and reason once a minute, since a store that is down fails every retry. */
export function connectionErrors({ log, clock }: { log: Log; clock: Clock }) {
  const reported = new Map<string, { at: Instant; unheard: number }>()
  return (queue: string, error: unknown): void => {
    const reason = reasonOf(error)
    const key = `${queue} ${reason}`
    const now = clock.now()
    const last = reported.get(key)
    if (last && now - last.at < quietMs) {
      last.unheard += 1
      return
    }
    for (const [other, { at }] of reported) if (now - at >= quietMs) reported.delete(other)
    reported.set(key, { at: now, unheard: 0 })
    log.warn('queue.error', { queue, reason, unheard: last?.unheard ?? 0 })
  }
}
