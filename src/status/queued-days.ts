import { z } from 'zod'
import { day } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import type { Timeframe } from '../market/timeframe.ts'
import type { Engine } from '../queue/engine.ts'

/** Jobs read per queue, first to run. */
const mostJobs = 1_000

// Other versions may have other payloads.
const backfill = z.object({
  coinId: z.string(),
  timeframe: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
})

/** Per coin and day: 1 if a backfill is queued or running. */
export async function readQueuedDays(
  engine: Engine,
  queues: readonly string[],
  timeframe: Timeframe,
  range: Range,
): Promise<Map<string, number[]>> {
  const days = (range.to - range.from) / day
  const found = new Map<string, number[]>()
  for (const name of queues) {
    const states = ['active', 'waiting', 'prioritized', 'delayed'] as const
    for (const { name: job, data } of await engine.queue(name).getJobs([...states], 0, mostJobs - 1)) {
      const payload = backfill.safeParse(data).data
      if (job !== 'backfill-candles' || payload?.timeframe !== timeframe) continue
      const own = found.get(payload.coinId) ?? new Array<number>(days).fill(0)
      const first = Math.max(0, Math.floor((Date.parse(payload.from) - range.from) / day))
      const end = Math.min(days, Math.ceil((Date.parse(payload.to) - range.from) / day))
      if (first < end) own.fill(1, first, end)
      found.set(payload.coinId, own)
    }
  }
  return found
}
