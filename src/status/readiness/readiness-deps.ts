import type { Pool } from 'pg'
import type { Engine } from '../../queue/engine.ts'
import type { AnyJob } from '../../queue/job.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { Settings } from '../../settings.ts'

export type ReadinessDeps = Readonly<{
  settings: Settings
  /** Those that the jobs use. */
  pool: Pool
  engine: Engine
  jobs: readonly AnyJob[]
  clock: Clock
  log: Log
  /** Why an embedded server does not run. */
  whyDown?(): string | undefined
  /** When this process began, as performance.now() counts. */
  upSinceMs: number
}>
