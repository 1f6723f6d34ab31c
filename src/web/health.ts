import type { FastifyInstance } from 'fastify'
import type { Pool } from 'pg'
import { minute, plus, second } from '../market/instant.ts'
import type { Engine } from '../queue/engine.ts'
import type { AnyJob } from '../queue/job.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import type { Settings } from '../settings.ts'
import { counted } from '../status/words.ts'
import { listCoins } from '../store/coins.ts'
import { databaseOf } from '../store/transaction.ts'
import { sharedWhileRunning } from './share.ts'

export type HealthReach = Readonly<{
  settings: Settings
  pool: Pool
  engine: Engine
  jobs: readonly AnyJob[]
  clock: Clock
  log: Log
}>

type Check = Readonly<{ ok: true } | { ok: false; reason: string }>

/** All checks run at the same time, so the whole answers within five seconds. */
const checkLimitMs = 4 * second

/** A coin followed for less may not have its schedule yet. */
const newCoinMs = 5 * minute

/** `/healthz`: the process lives. `/readyz`: what it needs answers. */
export function serveHealth(app: FastifyInstance, reach: HealthReach): void {
  app.get('/healthz', async () => ({ status: 'ok' }))
  // For all who ask at the same time: anybody may.
  const lookAtAll = sharedWhileRunning(() => checkAll(reach))
  app.get('/readyz', async (_request, reply) => {
    const checks = await lookAtAll()
    const ready = Object.values(checks).every(({ ok }) => ok)
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'not ready', checks })
  })
}

async function checkAll(reach: HealthReach) {
  const { pool, engine, log } = reach
  const [database, queue, schedule] = await Promise.all([
    check(log, 'database', 'the database does not answer', () => databaseOf(pool).execute('select 1')),
    check(log, 'queue', 'the queue does not answer', () => engine.ping()),
    check(log, 'schedule', 'the schedule does not answer', () => missingSchedules(reach)),
  ])
  return { database, queue, schedule }
}

/** The reason is our own sentence, because anybody may ask; what went wrong is for the log. */
async function check(log: Log, name: string, sentence: string, work: () => Promise<unknown>): Promise<Check> {
  try {
    const found = await within(checkLimitMs, work(), `${sentence} within ${checkLimitMs / second} s`)
    return typeof found === 'string' ? { ok: false, reason: found } : { ok: true }
  } catch (error) {
    log.warn('health.not-ready', { check: name, reason: reasonOf(error) })
    return { ok: false, reason: sentence }
  }
}

/** A sentence about the schedules that no queue knows; undefined when all of them stand. */
async function missingSchedules({
  engine,
  jobs,
  settings,
  pool,
  clock,
}: HealthReach): Promise<string | undefined> {
  const followed = await listCoins(databaseOf(pool))
  // The scheduler looks for new coins every few minutes: until then nothing of theirs is missing.
  const longEnough = plus(clock.now(), -newCoinMs)
  const coins = followed.filter(({ markets }) =>
    markets.every(({ followedFrom }) => followedFrom <= longEnough),
  )
  const wanted = jobs.flatMap((job) =>
    (job.schedules?.(settings, coins) ?? []).map(({ pattern, payload }) => ({
      queue: job.queueOf(payload),
      work: `${job.name} ${pattern}`,
    })),
  )
  const names = [...new Set(wanted.map(({ queue }) => queue))]
  const standing = new Map(
    await Promise.all(
      names.map(async (name) => {
        const schedulers = await engine.queue(name).getJobSchedulers(0, -1)
        return [name, new Set(schedulers.map((one) => `${one.name} ${one.pattern}`))] as const
      }),
    ),
  )
  const missing = wanted.filter(({ queue, work }) => !standing.get(queue)?.has(work)).length
  if (missing === 0) return undefined
  return `${counted(missing, 'schedule')} of ${wanted.length} not registered: start a process with the scheduler role`
}
