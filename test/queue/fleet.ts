import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { z } from 'zod'
import { type Engine, type EngineOptions, openEngine } from '../../src/queue/engine.ts'
import { type AnyJob, defineJob, type Job } from '../../src/queue/job.ts'
import { type RunRecorder, type StartWorkers, startWorkers, type Workers } from '../../src/queue/worker.ts'
import { steadyClock, systemClock } from '../../src/runtime/clock.ts'
import type { Log } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { SeriesRanges } from '../../src/runtime/series-ranges.ts'
import { readSettings } from '../../src/settings.ts'
import { createTestDatabase, redisUrl, type TestDatabase } from '../support/database.ts'

const settings = readSettings({})

export type Event = Readonly<{ level: string; event: string; fields: Record<string, unknown> }>

/** A log that can be read. */
export function recordingLog(): Log & { events: Event[] } {
  const events: Event[] = []
  const write =
    (level: string) =>
    (event: string, fields: object = {}) => {
      events.push({ level, event, fields: { ...fields } })
    }
  return { events, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

type Words = { text: string }

/** A job with the least that a job needs. */
export const aJob = (parts: Partial<Job<Words>> = {}): Job<Words> =>
  defineJob<Words>({
    name: 'say',
    summary: 'Says something',
    payload: z.strictObject({ text: z.string() }),
    queueOf: () => 'words',
    priority: 0,
    run: async () => ({ said: 1 }),
    ...parts,
  })

export type WorkOptions = Readonly<{
  queue: string
  jobs: readonly AnyJob[]
  concurrency?: number
  graceMs?: number
  lockDurationMs?: number
  stalledIntervalMs?: number
  onRun?: RunRecorder
  insteadOf?: StartWorkers['insteadOf']
  http?: StartWorkers['context']['http']
}>

const askNobody: StartWorkers['context']['http'] = {
  get: () => Promise.reject(new Error('these jobs ask nobody')),
  download: () => Promise.reject(new Error('these jobs ask nobody')),
}

/** Engines on one of the two stores; what a test opens is closed after it. */
export class TestFleet {
  readonly kind: Engine['kind']
  readonly log = recordingLog()
  readonly releases = new Releases()
  #database: TestDatabase | undefined
  #queues = 0

  constructor(kind: Engine['kind']) {
    this.kind = kind
    beforeAll(async () => {
      this.#database = await createTestDatabase()
    })
    afterEach(async () => {
      await this.releases.release()
      this.log.events.length = 0
    })
    afterAll(() => this.#database?.drop())
  }

  get database(): TestDatabase {
    if (!this.#database) throw new Error('the database is made before the first test')
    return this.#database
  }

  /** What an engine needs to find its store. */
  get urls(): { databaseUrl: string; redisUrl: string | undefined } {
    return { databaseUrl: this.database.url, redisUrl: this.kind === 'redis' ? redisUrl : undefined }
  }

  /** A queue that no other test uses. */
  freshQueue(): string {
    this.#queues += 1
    return `test-${process.pid}-${this.#queues}-${systemClock.now()}`
  }

  async open(options: Partial<EngineOptions> = {}): Promise<Engine> {
    const engine = await openEngine({ ...this.urls, log: this.log, clock: systemClock, ...options })
    this.releases.push(() => engine.close())
    return engine
  }

  work(
    engine: Engine,
    { queue, jobs, concurrency = 1, onRun, insteadOf, http = askNobody, ...tuning }: WorkOptions,
  ): Promise<Workers> {
    return startWorkers({
      engine,
      jobs,
      queues: [queue],
      concurrency,
      ...tuning,
      ...(onRun ? { onRun } : {}),
      ...(insteadOf ? { insteadOf } : {}),
      context: {
        clock: systemClock,
        steadyClock,
        log: this.log,
        settings,
        pool: this.database.pool,
        http,
        enqueue: async () => [],
        partitions: new Map(),
        seriesRanges: new SeriesRanges(),
      },
    })
  }

  /** The log's events of that name, their fields. */
  reported(event: string): Record<string, unknown>[] {
    return this.log.events.filter((one) => one.event === event).map(({ fields }) => fields)
  }
}

/** A promise, and how to keep it. */
export function promised<T = void>(): { promise: Promise<T>; keep(value: T): void } {
  let keep: (value: T) => void = () => undefined
  const promise = new Promise<T>((resolve) => {
    keep = resolve
  })
  return { promise, keep }
}

/** Resolves once the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** What is expected of something that comes about by itself, on a machine that may be busy. */
export const eventually = <T>(check: () => T) => expect.poll(check, { timeout: 40_000, interval: 20 })
