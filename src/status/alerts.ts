import type { AlertDetails, Incident } from '../../drizzle/schema/monitoring.ts'
import { toIso } from '../market/instant.ts'
import { pathOf } from './finding.ts'

/** `resolvedAt` null: still open. */
export type AlertStatus = Readonly<{
  id: string
  key: string
  message: string
  openedAt: string
  resolvedAt: string | null
  /** For failed runs. */
  details: AlertDetails | null
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
