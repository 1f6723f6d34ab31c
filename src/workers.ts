import { jobs, queuesWith } from '../jobs/catalog.ts'
import type { Fleet } from './fleet.ts'
import type { Engine } from './queue/engine.ts'
import { scheduledQueues } from './queue/schedule.ts'
import { everyProcess } from './runtime/every-process.ts'
import type { Releases } from './runtime/release.ts'
import { readSources } from './store/coins/instruments.ts'
import { listCoins } from './store/coins.ts'
import { databaseOf } from './store/transaction.ts'

const everyFiveSeconds = '*/5 * * * * *'

/** Starts workers for scheduled queues, others when they have jobs: each worker holds connections. */
export async function startWorkersWhereNeeded(fleet: Fleet, releases: Releases): Promise<void> {
  const { log } = fleet.context
  const started = new Set<string>()
  const check = async () => {
    const needed = await queuesInNeed(fleet, started)
    if (needed.length === 0) return
    const workers = await fleet.work(needed)
    releases.push(() => workers.close())
    for (const queue of needed) started.add(queue)
  }
  await check()
  const task = everyProcess(
    everyFiveSeconds,
    async () => {
      try {
        await check()
      } catch (error) {
        log.warn('workers.not-started', { reason: error instanceof Error ? error.message : String(error) })
      }
    },
    log,
  )
  releases.push(() => task.destroy())
}

/** Queues without a worker that need one. */
async function queuesInNeed({ engine, context }: Fleet, started: ReadonlySet<string>): Promise<string[]> {
  const db = databaseOf(context.pool)
  const coins = await listCoins(db)
  const scheduled = new Set(scheduledQueues(jobs, context.settings, coins))
  const queues = queuesWith(await readSources(db))
  const idle = queues.filter((queue) => !started.has(queue))
  const needed: string[] = []
  for (const queue of idle) if (scheduled.has(queue) || (await hasJobs(engine, queue))) needed.push(queue)
  return needed
}

/** Waiting jobs, or left by a killed worker. */
async function hasJobs(engine: Engine, queue: string): Promise<boolean> {
  const counts = await engine.queue(queue).getJobCounts('waiting', 'prioritized', 'delayed', 'active')
  return Object.values(counts).some((count) => count > 0)
}
