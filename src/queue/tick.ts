import { z } from 'zod'
import { type Instant, toInstant } from '../market/instant.ts'
import type { EngineJob } from './engine.ts'
import { nextDue } from './retries.ts'

export type Tick = Readonly<{
  scheduleId: string
  dueAt: Instant
  /** When the next run replaces this one. */
  nextDueAt: Instant
}>

/** Missing in BullMQ's type. */
const tickOptions = z.object({ repeat: z.object({ pattern: z.string() }) })

export function tickOf({
  repeatJobKey,
  id,
  opts,
}: Pick<EngineJob, 'repeatJobKey' | 'id' | 'opts'>): Tick | undefined {
  const { success, data } = tickOptions.safeParse(opts)
  // BullMQ's tick ids end with the due time.
  const dueMs = Number(/:(\d+)$/.exec(id ?? '')?.[1])
  if (repeatJobKey === undefined || !success || Number.isNaN(dueMs)) return undefined
  const dueAt = toInstant(dueMs)
  return { scheduleId: repeatJobKey, dueAt, nextDueAt: nextDue(data.repeat.pattern, dueAt) }
}
