import type { Pool } from 'pg'
import type { Instant } from '../../market/instant.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { Releases } from '../../runtime/release.ts'
import type { Settings } from '../../settings.ts'

/** `error`: needs repair. `warning`: worth knowing. */
type Severity = 'error' | 'warning'

export type Finding = Readonly<{
  severity: Severity
  message: string
  /** A command or an action. */
  remedy: string
}>

export type Deps = Readonly<{
  settings: Settings
  pool: Pool
  /** Database URL. */
  url: string
  now: Instant
  clock: Clock
  log: Log
  /** For what a check opens. */
  releases: Releases
  signal: AbortSignal
}>

/** Returns nothing if all is well. */
export type Check = Readonly<{ name: string; run(deps: Deps): Promise<readonly Finding[]> }>

export const error = (message: string, remedy: string): Finding => ({ severity: 'error', message, remedy })
export const warning = (message: string, remedy: string): Finding => ({
  severity: 'warning',
  message,
  remedy,
})
