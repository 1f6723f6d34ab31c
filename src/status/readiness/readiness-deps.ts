import type { Pool } from 'pg'
import type { Engine } from '../../queue/engine.ts'
import type { AnyJob } from '../../queue/job.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { Settings } from '../../settings.ts'

export type ReadinessDeps = Readonly<{
  settings: Settings
  /** The jobs' pool. */
  pool: Pool
  engine: Engine
  jobs: readonly AnyJob[]
  clock: Clock
  log: Log
  /** Why the embedded server is down. */
  whyDown?(): string | undefined
  /** By performance.now(). */
  upSinceMs: number
}>
