import { Pool } from 'pg'
import { z } from 'zod'
import { openEngine } from '../../src/queue/engine.ts'
import { defineJob } from '../../src/queue/job.ts'
import { startWorkers } from '../../src/queue/worker.ts'
import { steadyClock, systemClock } from '../../src/runtime/clock.ts'
import { openLog } from '../../src/runtime/log.ts'
import { SeriesRanges } from '../../src/runtime/series-ranges.ts'
import { readSettings } from '../../src/settings.ts'

/** Works until told to stop by SIGTERM, closes what it opened, and must then end by itself. */
const {
  WORK_DATABASE_URL: databaseUrl = '',
  WORK_REDIS_URL: redisUrl,
  WORK_QUEUE: queue = '',
  WORK_JOB: kind,
} = process.env

const say = (line: string) => process.stdout.write(`${line}\n`)

const job = defineJob({
  name: 'say',
  summary: 'Says that it runs',
  payload: z.strictObject({ text: z.string() }),
  queueOf: () => queue,
  priority: 0,
  run: async (_context, { text }) => {
    say(`running ${text}`)
    if (kind === 'block') blockEventLoop()
    return kind === 'stay' ? new Promise(() => undefined) : { said: 1 }
  },
})

/** Five times as long as a job is locked: no timer and no answer gets its turn meanwhile. */
function blockEventLoop(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000)
  say('unblocked')
}

const log = openLog({ level: 'error', pretty: false })
const engine = await openEngine({ databaseUrl, redisUrl, log, clock: systemClock })
await startWorkers({
  engine,
  jobs: [job],
  queues: [queue],
  concurrency: 2,
  lockDurationMs: 1_000,
  stalledIntervalMs: 500,
  graceMs: 200,
  context: {
    clock: systemClock,
    steadyClock,
    log,
    settings: readSettings({}),
    pool: new Pool({ connectionString: databaseUrl }),
    http: {
      get: () => Promise.reject(new Error('this job asks nobody')),
      download: () => Promise.reject(new Error('this job asks nobody')),
    },
    enqueue: async () => [],
    partitions: new Map(),
    seriesRanges: new SeriesRanges(),
  },
})
await engine.queue(queue).getJobCounts()
process.once('SIGTERM', async () => {
  await engine.close()
  say('closed')
})
say('working')
