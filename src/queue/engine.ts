import { setMaxListeners } from 'node:events'
import { type IQueueBackend, type Processor, Queue, Worker } from 'bullmq'
import { Aborted, InvalidInput } from '../fault.ts'
import { second } from '../market/instant.ts'
import { type Clock, steadyClock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { reasonOf, type WaitPolicy, whenAnswering } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import type { QueueName } from '../settings/source-ids.ts'
import { connectionErrors } from './connection-errors.ts'
import { defaultJobOptions } from './job-options.ts'
import { lockDurationMs, stalledIntervalMs } from './locks.ts'
import { openPostgresStore } from './postgres-store.ts'
import type { RedisClient } from './redis/open-redis.ts'
import { openRedisStore } from './redis-store.ts'
import { backoffStrategy } from './retries.ts'
import type { Store } from './store.ts'
import { refuseWrongClockOf } from './wrong-clock.ts'

export type EngineQueue = Queue<unknown, unknown, string, unknown, unknown, string, IQueueBackend, unknown>
export type EngineWorker = Worker<unknown, unknown, string, IQueueBackend, object, unknown>
export type EngineProcessor = Processor<unknown, unknown, string, object>
export type EngineJob = Parameters<EngineProcessor>[0]

/** Durations of a worker. */
export type WorkerOptions = Readonly<{
  concurrency: number
  lockDurationMs?: number
  stalledIntervalMs?: number
  /** How long running jobs may take to finish on close. */
  graceMs?: number
}>

type RunningWorker = Readonly<{
  worker: EngineWorker
  /** Stops taking jobs, waits for running ones, then leaves the rest to other workers. */
  close(): Promise<void>
}>

/** The queues on either store. */
export type Engine = Readonly<{
  kind: Store['kind']
  /** Aborts on `close`. */
  closing: AbortSignal
  /** The queue of that name, opened when first asked for. Throws InvalidInput for a name that cannot be one. */
  queue<Name extends string>(name: QueueName<Name>): EngineQueue
  /** Starts taking jobs from a queue. Throws Unavailable when the store does not answer in time. */
  openWorker(name: string, processor: EngineProcessor, options: WorkerOptions): Promise<RunningWorker>
  /** Shared with the request budget; undefined on PostgreSQL. */
  redis?: RedisClient
  /** Throws if the store does not answer or accepts no writes; StoreRefusal if the reason is known. */
  check(): Promise<void>
  forgetJob: Store['forgetJob']
  forgetFuture: Store['forgetFuture']
  shortenLocks: Store['shortenLocks']
  close(): Promise<void>
}>

export type EngineOptions = Readonly<{
  redisUrl?: string | undefined
  databaseUrl: string
  log: Log
  /** The machine's clock, compared with the database's. */
  clock: Clock
  signal?: AbortSignal
  /** How long to wait for the store. */
  waitMs?: number
}>

const maxStalledCount = 2
const retryPauseMs = 2 * second

const usualGraceMs = 10 * second

/** Timeout of the store for opening and closing. */
const answerLimitMs = 5 * second

const allQueues = 'all'

/** Separates our keys in a shared Redis; the braces keep them on one cluster node. */
const prefix = '{beacon}'

/**
 * Opens the queues on Redis if its URL is given, else PostgreSQL. Throws Unavailable on timeout, Aborted, or
 * Misconfigured.
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { redisUrl, databaseUrl, log, clock, signal, waitMs = 30 * second } = options
  const waitPolicy: WaitPolicy = { log, waitMs, ...(signal ? { signal } : {}) }
  const report = connectionErrors({ log, clock: steadyClock })
  const onError = (error: Error) => report(allQueues, error)
  // The PostgreSQL store compares clocks itself.
  if (redisUrl !== undefined) await refuseWrongClockOf(databaseUrl, clock, waitPolicy)
  const store =
    redisUrl === undefined
      ? await openPostgresStore({ databaseUrl, clock, waitPolicy, onError })
      : await openRedisStore({ redisUrl, waitPolicy, onError })
  return engineOn(store, { log, waitPolicy, report })
}

type Parts = Readonly<{
  log: Log
  waitPolicy: WaitPolicy
  report: ReturnType<typeof connectionErrors>
}>

function engineOn(store: Store, { log, waitPolicy, report }: Parts): Engine {
  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  const queues = new Map<string, EngineQueue>()
  const workers: RunningWorker[] = []
  const onError = (name: string) => (error: Error) => {
    if (!closing.signal.aborted) report(name, error)
  }

  const openQueue = (name: string): EngineQueue => {
    const queue: EngineQueue = new Queue(
      checkedName(name),
      { connection: {}, prefix, defaultJobOptions },
      store.backend,
    )
    queue.on('error', onError(name))
    queues.set(name, queue)
    // BullMQ never recovers a queue that failed to open: replace it.
    queue.waitUntilReady().catch(async (error) => {
      onError(name)(error)
      queues.delete(name)
      await endWithin(queue.close(), name, log)
    })
    return queue
  }

  const openWorker: Engine['openWorker'] = (name, processor, options) =>
    whenAnswering(
      async () => {
        if (closing.signal.aborted) throw closing.signal.reason
        const started = await startWorker(store, checkedName(name), processor, options, onError(name))
        let closed: Promise<void> | undefined
        const close = () => {
          closed ??= closeWorker(started, options.graceMs ?? usualGraceMs, log)
          return closed
        }
        workers.push({ worker: started.worker, close })
        if (!closing.signal.aborted) return { worker: started.worker, close }
        await close()
        throw closing.signal.reason
      },
      'the queue did not answer: start its PostgreSQL or Redis',
      waitPolicy,
    )

  const close = async (): Promise<void> => {
    closing.abort(new Aborted('the process is stopping'))
    await Promise.all(workers.map((worker) => worker.close()))
    await Promise.all(
      [...queues].map(([name, queue]) => endWithin(queue.close(), name, log, () => queue.disconnect())),
    )
    await endWithin(store.close(), allQueues, log)
  }

  let closed: Promise<void> | undefined
  return {
    kind: store.kind,
    closing: closing.signal,
    queue: (name) => queues.get(name) ?? openQueue(name),
    openWorker,
    ...(store.redis ? { redis: store.redis } : {}),
    check: store.check,
    forgetJob: store.forgetJob,
    forgetFuture: store.forgetFuture,
    shortenLocks: store.shortenLocks,
    close: () => {
      closed ??= close()
      return closed
    },
  }
}

/** Redis keys use colons; BullMQ rejects such names late. */
function checkedName(name: string): string {
  if (/^[\w.-]+$/.test(name)) return name
  throw new InvalidInput(`"${name}" cannot name a queue: use letters, digits, dots, hyphens and underscores`)
}

type StartedWorker = Readonly<{ worker: EngineWorker; runs: ReadonlySet<Promise<unknown>> }>

async function startWorker(
  store: Store,
  name: string,
  processor: EngineProcessor,
  options: WorkerOptions,
  onError: (error: Error) => void,
): Promise<StartedWorker> {
  const runs = new Set<Promise<unknown>>()
  // BullMQ checks the parameter count to decide whether to pass the signal.
  const counted: EngineProcessor = (job, token, signal) => {
    const run = processor(job, token, signal)
    runs.add(run)
    const forget = () => runs.delete(run)
    run.then(forget, forget)
    return run
  }
  const worker: EngineWorker = new Worker(
    name,
    counted,
    {
      connection: {},
      prefix,
      autorun: false,
      concurrency: options.concurrency,
      lockDuration: options.lockDurationMs ?? lockDurationMs,
      stalledInterval: options.stalledIntervalMs ?? stalledIntervalMs,
      maxStalledCount,
      // Pause after a refused connection.
      runRetryDelay: retryPauseMs,
      settings: { backoffStrategy },
      // For jobs added by others without options.
      removeOnComplete: defaultJobOptions.removeOnComplete,
      removeOnFail: defaultJobOptions.removeOnFail,
    },
    store.backend,
  )
  worker.on('error', onError)
  try {
    await within(answerLimitMs, worker.waitUntilReady(), 'the queue did not answer')
  } catch (error) {
    await worker.close(true)
    throw error
  }
  worker.run().catch(onError)
  return { worker, runs }
}

async function closeWorker({ worker, runs }: StartedWorker, graceMs: number, log: Log): Promise<void> {
  // BullMQ's close cannot be interrupted once it waits for jobs.
  await worker.pause(true)
  const finished = await allWithin(graceMs, runs)
  if (!finished) log.warn('queue.jobs-let-go', { queue: worker.name, jobs: runs.size })
  const closed = worker.close(!finished)
  if (!finished) await endWithin(worker.disconnect(), worker.name, log)
  await endWithin(closed, worker.name, log, () => worker.disconnect())
}

async function allWithin(limitMs: number, runs: ReadonlySet<Promise<unknown>>): Promise<boolean> {
  try {
    await within(limitMs, Promise.allSettled(runs), 'the running jobs did not finish')
    return true
  } catch {
    // Only a timeout; the caller logs it.
    return false
  }
}

/** If the store is down, closing never ends: connections are then destroyed, and silent ones abandoned. */
async function endWithin(
  closed: Promise<void>,
  name: string,
  log: Log,
  cut?: () => Promise<void>,
): Promise<void> {
  try {
    await within(answerLimitMs, closed, 'the queue did not close')
  } catch (error) {
    log.warn('queue.not-closed', { queue: name, reason: reasonOf(error) })
    if (cut) await endWithin(cut(), name, log)
  }
}
