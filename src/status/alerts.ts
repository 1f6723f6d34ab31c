import type { AlertDetails, Incident } from '../../drizzle/schema/monitoring.ts'
import { toIso } from '../market/instant.ts'
import { pathOf } from './finding.ts'

/** What somebody was told to look at, and until when it was so; null while it is. */
export type AlertStatus = Readonly<{
  id: string
  key: string
  message: string
  openedAt: string
  resolvedAt: string | null
  /** Of failed runs: what they have in common. */
  details: AlertDetails | null
  /** Where on the page it can be seen. */
  path: string
}>

export const describeAlert = ({
  id,
  key,
  message,
  openedAt,
  resolvedAt,
  details,
}: Incident): AlertStatus => ({
  id,
  key,
  message,
  openedAt: toIso(openedAt),
  resolvedAt: resolvedAt === null ? null : toIso(resolvedAt),
  details,
  path: pathOf(key),
})
