import { minute, plus } from '../../market/instant.ts'
import { listCoins } from '../../store/coins.ts'
import { databaseOf } from '../../store/transaction.ts'
import { counted } from '../words.ts'
import type { ReadinessDeps } from './readiness-deps.ts'

/** Its schedule may not exist yet. */
const newCoinMs = 5 * minute

/** Missing schedules; undefined if complete. */
export async function checkSchedule({
  engine,
  jobs,
  settings,
  pool,
  clock,
}: ReadinessDeps): Promise<string | undefined> {
  const tracked = await listCoins(databaseOf(pool))
  // New coins are registered every few minutes.
  const longEnough = plus(clock.now(), -newCoinMs)
  const coins = tracked.filter(({ markets }) => markets.every(({ trackedFrom }) => trackedFrom <= longEnough))
  const wanted = jobs.flatMap((job) =>
    (job.schedules?.(settings, coins) ?? []).map(({ pattern, payload }) => ({
      queue: job.queueOf(payload),
      work: `${job.name} ${pattern}`,
    })),
  )
  const names = [...new Set(wanted.map(({ queue }) => queue))]
  const registered = new Map(
    await Promise.all(
      names.map(async (name) => {
        const schedulers = await engine.queue(name).getJobSchedulers(0, -1)
        return [name, new Set(schedulers.map((one) => `${one.name} ${one.pattern}`))] as const
      }),
    ),
  )
  const missing = wanted.filter(({ queue, work }) => !registered.get(queue)?.has(work)).length
  if (missing === 0) return undefined
  return `${counted(missing, 'schedule')} of ${wanted.length} not registered: start a process with the scheduler role`
}
