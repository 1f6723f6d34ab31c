import { once } from 'node:events'
import { z } from 'zod'
import {
  type ArchiveDeps,
  archived,
  archivePartition,
} from '../../../src/lifecycle/archive/archive-partition.ts'
import { archiveRows } from '../../../src/lifecycle/archive/archive-rows.ts'
import { restoreArchive } from '../../../src/lifecycle/archive/restore-archive.ts'
import { toInstant } from '../../../src/market/instant.ts'
import { readSettings } from '../../../src/settings.ts'
import { findArchive } from '../../../src/store/lifecycle/archives.ts'
import { deletePartition } from '../../../src/store/lifecycle/delete-partitions.ts'
import { openPool } from '../../../src/store/pool.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { fixedClock } from '../../support/fixed-clock.ts'

// `archiving-process.ts DATABASE_URL DATA_DIR NOW JOBS`: begins each piece of work, in turn, and holds it after its step.
// Once all of them are held, the process ends at once, as if its power had gone.
const [url = '', dataDir = '', now = '', jobsText = ''] = process.argv.slice(2)
const settings = readSettings({ BEACON_DATA_DIR: dataDir })
const pool = openPool(url, settings.database, (error) => {
  throw error
})

const instant = z.number().transform(toInstant)
const partition = z.object({
  oid: z.number(),
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  range: z.object({ from: instant, to: instant }),
  qualifiedName: z.string(),
  bounds: z.string(),
  relation: z.literal('table'),
  isDetachPending: z.literal(false),
  bytes: z.number(),
  estimatedRows: z.number(),
  isAnalyzed: z.boolean(),
})
const jobForm = z.discriminatedUnion('work', [
  z.object({ work: z.enum(['archive', 'drop']), step: z.string(), partition }),
  z.object({ work: z.literal('restore'), step: z.string(), id: z.string() }),
  z.object({ work: z.literal('rows'), step: z.string(), table: z.string() }),
])
export type KilledJob = z.input<typeof jobForm>

type Job = z.output<typeof jobForm>

async function run(job: Job, deps: Required<ArchiveDeps>): Promise<void> {
  switch (job.work) {
    case 'archive':
      return void (await archivePartition(deps, job.partition))
    case 'drop':
      return deletePartition(
        { pool, steps: deps.steps, now: deps.clock.now(), lockTimeoutMs: 2_000, timeframe: '1h' },
        job.partition,
        [await archived(deps)(job.partition)],
      )
    case 'restore':
      return void (await restoreArchive(deps, await findArchive(databaseOf(pool), job.id)))
    case 'rows': {
      const { signal } = new AbortController()
      return void (await archiveRows({ ...deps, signal }, { table: job.table, by: 'created_at' }, 0))
    }
  }
}

/** Resolves when the work has come to its step, where it stays. Fails when it ends without. */
async function hold(job: Job): Promise<void> {
  const reached = new EventTarget()
  const isHeld = once(reached, 'held')
  const steps = async (name: string) => {
    if (name !== job.step) return
    reached.dispatchEvent(new Event('held'))
    await new Promise(() => undefined)
  }
  const isDone = run(job, { pool, settings, clock: fixedClock(now), steps }).then(() => {
    throw new Error(`${job.work} has no step ${job.step}`)
  })
  await Promise.race([isHeld, isDone])
}

for (const one of z.array(jobForm).parse(JSON.parse(jobsText))) await hold(one)
process.kill(process.pid, 'SIGKILL')
