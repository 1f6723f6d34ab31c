/** Jobs that do nothing, through our worker and through one of BullMQ's own, on each engine. */
import { type IQueueBackend, Queue, Worker } from 'bullmq'
import { z } from 'zod'
import { second } from '../../src/market/instant.ts'
import { type Engine, openEngine } from '../../src/queue/engine.ts'
import { defineJob } from '../../src/queue/job.ts'
import { defaultJobOptions } from '../../src/queue/job-options.ts'
import { openPostgresStore } from '../../src/queue/postgres-store.ts'
import { openRedisStore } from '../../src/queue/redis-store.ts'
import type { Store } from '../../src/queue/store.ts'
import { type RunRecorder, startWorkers } from '../../src/queue/worker.ts'
import { steadyClock, systemClock } from '../../src/runtime/clock.ts'
import { openLog } from '../../src/runtime/log.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { openRedis } from '../support/redis.ts'
import { type Cost, costOf, rounds, scale } from './measure.ts'
import { type Row, ratioRow } from './rows.ts'
import { onStage, type Stage } from './stage.ts'

const jobCount = Math.max(100, Math.round(5_000 * scale))
const concurrency = 4
const log = openLog({ level: 'error', pretty: false })
const waitPolicy = { log, waitMs: 10 * second }

/** On both engines, or on the one that is there. */
export const benchQueues = (): Promise<Row[]> =>
  onStage(async (stage) => {
    const redis = await openRedis(stage.folder)
    try {
      const onPostgres = await measureEngine(stage, undefined)
      return redis ? [...onPostgres, ...(await measureEngine(stage, redis.url))] : onPostgres
    } finally {
      await redis?.close()
    }
  })

async function measureEngine(stage: Stage, redisUrl: string | undefined): Promise<Row[]> {
  const engine = await openEngine({ databaseUrl: stage.url, redisUrl, log, clock: systemClock })
  const store =
    redisUrl === undefined
      ? await ownPostgresStore(stage)
      : await openRedisStore({ redisUrl, waitPolicy, onError: () => {} })
  const [ours, recorded]: [Cost[], Cost[]] = [[], []]
  const bare: Cost[] = []
  try {
    for (let round = 0; round < rounds; round += 1) {
      bare.push(await bareJobs(stage, store, `bare-${round}`))
      ours.push(await ourJobs(stage, engine, `ours-${round}`))
      recorded.push(await ourJobs(stage, engine, `recorded-${round}`, recorderOn(stage)))
    }
  } finally {
    await engine.close()
    await store.close()
  }
  const on = redisUrl === undefined ? 'PostgreSQL' : 'Redis'
  const against = `bare BullMQ on ${on}`
  return [
    ratioRow(
      { what: `${jobCount} empty jobs through our worker on ${on}`, against, target: { speed: 0.8 } },
      ours,
      bare,
    ),
    ratioRow(
      { what: 'the same, each run recorded in ingest_runs', against, target: undefined },
      recorded,
      bare,
    ),
  ]
}

const ownPostgresStore = ({ url }: Stage): Promise<Store> =>
  openPostgresStore({
    databaseUrl: url,
    clock: systemClock,
    waitPolicy,
    onError: (error) => log.error('queue.failed', { reason: error.message }),
  })

const jobs = (name: string) =>
  Array.from({ length: jobCount }, () => ({ name, data: {}, opts: defaultJobOptions }))

/** Counts the jobs as they run; `done` resolves with the last. */
function counting(): { count(): void; done: Promise<void> } {
  let left = jobCount
  let end: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    end = resolve
  })
  const count = () => {
    left -= 1
    if (left === 0) end()
  }
  return { count, done }
}

async function bareJobs({ server }: Stage, store: Store, name: string): Promise<Cost> {
  const queue = new Queue(name, { connection: {}, prefix: 'bare' }, store.backend)
  await queue.pause()
  await queue.addBulk(jobs('nothing'))
  const { count, done } = counting()
  const worker = new Worker<unknown, object, string, IQueueBackend, object, unknown>(
    name,
    async () => {
      count()
      return {}
    },
    { connection: {}, prefix: 'bare', autorun: false, concurrency },
    store.backend,
  )
  worker.run().catch((error) => log.error('queue.failed', { reason: String(error) }))
  await worker.waitUntilReady()
  const cost = await costOf(server, async () => {
    await queue.resume()
    await done
  })
  await worker.close()
  await queue.close()
  return cost
}

const countedBy = (count: () => void) =>
  defineJob({
    name: 'nothing',
    summary: 'Does nothing',
    payload: z.strictObject({}),
    queueOf: () => 'nothing',
    priority: 0,
    run: async () => {
      count()
      return {}
    },
  })

async function ourJobs(stage: Stage, engine: Engine, name: string, onRun?: RunRecorder): Promise<Cost> {
  const queue = engine.queue(name)
  await queue.pause()
  await queue.addBulk(jobs('nothing'))
  const { count, done } = counting()
  const refused = () => Promise.reject(new Error('these jobs ask nobody'))
  const { pool, settings, clock, partitions } = stage.deps
  const workers = await startWorkers({
    engine,
    jobs: [countedBy(count)],
    queues: [name],
    concurrency,
    context: {
      ...{ pool, settings, clock, steadyClock, partitions, log },
      http: { get: refused, download: refused },
      enqueue: async () => [],
    },
    ...(onRun ? { onRun } : {}),
  })
  const cost = await costOf(stage.server, async () => {
    await queue.resume()
    await done
  })
  await workers.close()
  return cost
}

/** As the fleet records its runs. */
function recorderOn({ pool, deps: { clock } }: Stage): RunRecorder {
  const db = databaseOf(pool)
  return {
    started: (run) => startRun(db, { ...run, startedAt: clock.now() }),
    finished: (id, { outcome }) => finishRun(db, id, { status: 'done', outcome }, clock.now()),
  }
}
