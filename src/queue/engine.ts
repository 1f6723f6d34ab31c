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

/** How a worker takes, holds and ends its jobs. */
export type WorkerOptions = Readonly<{
  concurrency: number
  lockDurationMs?: number
  stalledIntervalMs?: number
  /** How long running jobs may take to finish once the worker is closed. */
  graceMs?: number
}>

type RunningWorker = Readonly<{
  worker: EngineWorker
  /**
   * Takes no more jobs, gives the running ones the grace to finish, and lets go of those that did not: another
   * worker takes them up again.
   */
  close(): Promise<void>
}>

/** The queues, wherever they live. */
export type Engine = Readonly<{
  kind: Store['kind']
  /** Aborts when `close` is called. */
  closing: AbortSignal
  /** The queue of that name, opened when first asked for. Throws InvalidInput for a name that cannot be one. */
  queue<Name extends string>(name: QueueName<Name>): EngineQueue
  /** Starts taking jobs from a queue. Throws Unavailable when the store does not answer in time. */
  openWorker(name: string, processor: EngineProcessor, options: WorkerOptions): Promise<RunningWorker>
  /** The connection to Redis that the request budget shares; undefined where the queues live in PostgreSQL. */
  redis?: RedisClient
  /** Throws when the store does not answer, or takes no writes: StoreRefusal where it says why. */
  check(): Promise<void>
  forgetJob: Store['forgetJob']
  forgetFuture: Store['forgetFuture']
  shortenLocks: Store['shortenLocks']
  /** Closes the workers, then the queues, then every connection. */
  close(): Promise<void>
}>

export type EngineOptions = Readonly<{
  redisUrl?: string | undefined
  databaseUrl: string
  log: Log
  /** The machine's own clock: it is compared with the database's. */
  clock: Clock
  signal?: AbortSignal
  /** How long to wait for the store, in milliseconds. */
  waitMs?: number
}>

const maxStalledCount = 2
const retryPauseMs = 2 * second

const usualGraceMs = 10 * second

/** How long the store may take to say that it is ready, or goodbye. */
const answerLimitMs = 5 * second

/** What the log calls the connections that the queues share. */
const allQueues = 'all'

/** Keeps our keys apart from those of others in the same Redis. The braces keep them together on one node of a cluster. */
const prefix = '{beacon}'

/**
 * Opens the queues: on Redis where its URL is given, in PostgreSQL otherwise. Throws Unavailable when the store
 * does not answer in time, Aborted when told to stop, and Misconfigured where a person must act.
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { redisUrl, databaseUrl, log, clock, signal, waitMs = 30 * second } = options
  const waitPolicy: WaitPolicy = { log, waitMs, ...(signal ? { signal } : {}) }
  const report = connectionErrors({ log, clock: steadyClock })
  const onError = (error: Error) => report(allQueues, error)
  // The queue in PostgreSQL compares them when it is opened.
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
  // Every job that runs listens to it.
  setMaxListeners(0, closing.signal)
  const queues = new Map<string, EngineQueue>()
  const workers: RunningWorker[] = []
  const onError = (name: string) => (error: Error) => {
    // What breaks while everything is being closed is the closing itself.
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
    // One that could not be opened stays broken for ever: the next to ask gets a new one.
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

/** Redis builds its keys with colons, and a name that holds one is refused late and without a remedy. */
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
  // All three parameters are written out: BullMQ counts them to know whether the signal is wanted.
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
      // How long to pause after a refused connection: a store that is back is used again soon.
      runRetryDelay: retryPauseMs,
      settings: { backoffStrategy },
      // For jobs that others added, without options of their own.
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
  // Not closed yet: a close that waits for its jobs can no longer be told to stop waiting.
  await worker.pause(true)
  const finished = await allWithin(graceMs, runs)
  if (!finished) log.warn('queue.jobs-let-go', { queue: worker.name, jobs: runs.size })
  const closed = worker.close(!finished)
  // A forced close leaves the wait for the next job standing, and with it the process.
  if (!finished) await endWithin(worker.disconnect(), worker.name, log)
  await endWithin(closed, worker.name, log, () => worker.disconnect())
}

async function allWithin(limitMs: number, runs: ReadonlySet<Promise<unknown>>): Promise<boolean> {
  try {
    await within(limitMs, Promise.allSettled(runs), 'the running jobs did not finish')
    return true
  } catch {
    // Only the time limit ends here: the caller tells how many jobs it lets go of.
    return false
  }
}

/**
 * A store that is down never answers the goodbye, and its connections are then cut; one whose connections died
 * silently does not hear of that either, and is left behind.
 */
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
