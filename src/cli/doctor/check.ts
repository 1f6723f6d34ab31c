import type { Pool } from 'pg'
import type { Instant } from '../../market/instant.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { Releases } from '../../runtime/release.ts'
import type { Settings } from '../../settings.ts'

/** `error`: something is wrong, and stays so until somebody mends it. `warning`: worth knowing. */
type Severity = 'error' | 'warning'

export type Finding = Readonly<{
  severity: Severity
  /** What is the matter, as a sentence. */
  message: string
  /** What mends it: a command, or what to do, as a sentence. */
  remedy: string
}>

/** What a check may look at. */
export type Deps = Readonly<{
  settings: Settings
  pool: Pool
  /** Of the database. */
  url: string
  now: Instant
  clock: Clock
  log: Log
  /** What a check opens and does not close itself. */
  releases: Releases
  signal: AbortSignal
}>

/** One thing that is looked at. What it finds nothing wrong with, it returns nothing about. */
export type Check = Readonly<{ name: string; run(deps: Deps): Promise<readonly Finding[]> }>

export const error = (message: string, remedy: string): Finding => ({ severity: 'error', message, remedy })
export const warning = (message: string, remedy: string): Finding => ({
  severity: 'warning',
  message,
  remedy,
})
