import type { Context } from '../runtime/context.ts'
import { discardSuperseded } from './archive/archive-partition.ts'
import type { RetentionDeps } from './retention.ts'
import { safekeepingsOf } from './retention-safekeeping.ts'

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
