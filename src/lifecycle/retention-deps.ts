import type { Pool } from 'pg'
import type { Clock } from '../runtime/clock.ts'
import type { Context } from '../runtime/context.ts'
import type { Settings } from '../settings.ts'
import type { Steps } from '../store/lifecycle/delete-partitions.ts'
import { discardSuperseded } from './archive/archive-partition.ts'
import type { Safekeepings } from './retention-safekeeping.ts'
import { safekeepingsOf } from './retention-safekeeping.ts'

export type RetentionDeps = Readonly<{
  pool: Pool
  settings: Settings
  clock: Clock
  signal: AbortSignal
  safekeepings: Safekeepings
  /** Last step: removes superseded files. */
  tidy?: () => Promise<void>
  steps?: Steps
}>

/** A job's report fits. */
export type RetentionReport = Readonly<{
  progress(done: number, total: number): Promise<void>
  log(line: string): Promise<void>
}>

/** What a run of retention takes from a job's context. */
export function retentionDepsOf({ pool, settings, clock, signal }: Context): RetentionDeps {
  const archive = { pool, settings, clock }
  return {
    ...archive,
    signal,
    safekeepings: safekeepingsOf(archive),
    tidy: () => discardSuperseded(archive),
  }
}
