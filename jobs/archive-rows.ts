import { z } from 'zod'
import { Misconfigured } from '../src/fault.ts'
import { type ArchivedRows, archiveRows as archive } from '../src/lifecycle/archive/archive-rows.ts'
import { clockObjection, readClocks } from '../src/lifecycle/retention-clocks.ts'
import { minute } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'
import { databaseOf } from '../src/store/transaction.ts'

/** Rows of tables that are not partitioned, such as notifications: into files, and out of the table. */
export const archiveRows = defineJob({
  name: 'archive-rows',
  summary: 'Moves old rows to the archive, each batch written and read back before it is deleted',
  payload: z.strictObject({}),
  queueOf: () => 'upkeep',
  idOf: () => 'archive-rows',
  priority: 0,
  schedules: () => [
    {
      id: 'archive-rows',
      pattern: '32 0 * * *',
      payload: {},
      whenMissed: 'run-once',
      missedDelayMs: 6 * minute,
    },
  ],
  run: async ({ pool, settings, clock, signal }) => {
    const objection = clockObjection(await readClocks(databaseOf(pool), clock.now()), settings)
    if (objection !== undefined) throw new Misconfigured(`nothing was archived: ${objection}`)
    const archived: ArchivedRows[] = []
    for (const [table, { by, keep, then }] of Object.entries(settings.retention)) {
      if (then !== 'archive' || keep === undefined) continue
      archived.push(await archive({ pool, settings, clock, signal }, { table, by }, keep))
    }
    return { archived }
  },
})
