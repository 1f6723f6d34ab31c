import type { Incident } from '../../drizzle/schema/monitoring.ts'
import { day, type Instant, plus, toIso } from '../market/instant.ts'

/** What somebody was told to look at, and until when it was so; null while it is. */
export type AlertStatus = Readonly<{
  id: string
  key: string
  sentence: string
  openedAt: string
  resolvedAt: string | null
}>

export const describeAlert = ({ id, key, sentence, openedAt, resolvedAt }: Incident): AlertStatus => ({
  id,
  key,
  sentence,
  openedAt: toIso(openedAt),
  resolvedAt: resolvedAt === null ? null : toIso(resolvedAt),
})

/** Whether somebody who comes to look would still want to know. */
export const isRecent = ({ resolvedAt }: Incident, now: Instant): boolean =>
  resolvedAt === null || resolvedAt >= plus(now, -day)
