import { z } from 'zod'
import { type Instant, toInstant } from '../market/instant.ts'
import type { EngineJob } from './engine.ts'
import { nextDue } from './retries.ts'

/** One run of a schedule. */
export type Tick = Readonly<{
  /** The schedule's, as the queue has it. */
  scheduleId: string
  dueAt: Instant
  /** When the schedule's next run takes the place of this one. */
  nextDueAt: Instant
}>

/** BullMQ keeps it in the options of a tick, and not in their type. */
const tickOptions = z.object({ repeat: z.object({ pattern: z.string() }) })

/** Undefined for what is no tick. */
export function tickOf({
  repeatJobKey,
  id,
  opts,
}: Pick<EngineJob, 'repeatJobKey' | 'id' | 'opts'>): Tick | undefined {
  const { success, data } = tickOptions.safeParse(opts)
  // BullMQ names a tick after its schedule and the time it was due.
  const dueMs = Number(/:(\d+)$/.exec(id ?? '')?.[1])
  if (repeatJobKey === undefined || !success || Number.isNaN(dueMs)) return undefined
  const dueAt = toInstant(dueMs)
  return { scheduleId: repeatJobKey, dueAt, nextDueAt: nextDue(data.repeat.pattern, dueAt) }
}
