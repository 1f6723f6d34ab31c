import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { jobs } from '../../jobs/catalog.ts'
import { Fault } from '../../src/fault.ts'
import { unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import { type Instant, plus, second } from '../../src/market/instant.ts'
import type { AnyJob } from '../../src/queue/job.ts'
import { openReplayExchange, type ReplayExchange } from '../../src/replay/exchange.ts'
import type { FaultPlan, FaultRule } from '../../src/replay/faults.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Context } from '../../src/runtime/context.ts'
import type { Log } from '../../src/runtime/log.ts'
import type { Releases } from '../../src/runtime/release.ts'
import { SeriesRanges } from '../../src/runtime/series-ranges.ts'
import { baseUrlVariables } from '../../src/settings/base-url-variable.ts'
import { readSettings } from '../../src/settings.ts'
import { recordConfigured, trackConfigured } from '../../src/store/coins.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { openPool } from '../../src/store/pool.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { StandingClock } from '../replay/playing.ts'
import { readEnvironment } from '../support/read-environment.ts'
import { openSimulatedServer, type SimulatedServer } from './server.ts'

/** Short retentions, so that a month has seen every end of data. */
const config = `
track: [bitcoin, ethereum, dogecoin]
timeframes:
  1m: { history: 3 days, keep: 3 days }
  5m: off
  1h: { partition: day, history: 10 days, keep: 10 days }
prices: { every: 6 hours, keep: 5 days, staleAfter: 12 hours }
# No timer of the server expires: libfaketime may give the real time to a signal handler, and transactions would time out.
database:
  statementTimeout: { answer: 23 hours, load: 23 hours, maintenance: 23 hours }
  idleInTransactionTimeout: 23 hours
`

const attempts = 3

type Work = Readonly<{ job: AnyJob; payload: unknown }>

/** A request of a candle range that was answered as it should be. */
export type Asked = Readonly<{ symbol: string; interval: string; from: number; to: number }>

/** PostgreSQL, exchange and jobs that all go by one clock, which only the simulation moves. */
export class World {
  readonly context: Context
  readonly exchange: ReplayExchange
  readonly server: SimulatedServer
  readonly clock: StandingClock
  readonly asked: Asked[]
  /** Requests are repeated then, and not counted. */
  isFaulty = false
  /** Rules that stay, beside those of the moment. */
  readonly lasting: FaultRule[] = []
  readonly #enqueued: Work[]

  private constructor(
    parts: Pick<World, 'context' | 'exchange' | 'server' | 'clock' | 'asked'>,
    work: Work[],
  ) {
    ;[this.context, this.exchange, this.server] = [parts.context, parts.exchange, parts.server]
    ;[this.clock, this.asked] = [parts.clock, parts.asked]
    this.#enqueued = work
  }

  static async open(folder: string, start: Instant, releases: Releases): Promise<World> {
    const clock = new StandingClock(start)
    const server = await openSimulatedServer(folder, aheadOf(start))
    releases.push(() => server.close())
    await migrateUp(server.url)
    const asked: Asked[] = []
    let world: World | undefined
    const exchange = await openReplayExchange({
      clock,
      limits: 'none',
      log: askedLog((one) => world?.isFaulty || asked.push(one)),
    })
    releases.push(() => exchange.close())
    const configFile = join(folder, 'beacon.yaml')
    await writeFile(configFile, config)
    const environment = readEnvironment({
      ...baseUrlVariables(exchange.urls),
      DATABASE_URL: server.url,
      BEACON_DATA_DIR: join(folder, 'beacon'),
    })
    const settings = { ...readSettings({}, configFile), environment }
    const pool = openPool(server.url, settings.database, () => undefined)
    releases.push(() => pool.close())
    const http = openHttpClient({
      clock,
      budget: unlimitedBudget,
      timeoutMs: 20_000,
      maxBodyBytes: 20_000_000,
    })
    releases.push(async () => http.close())
    const work: Work[] = []
    const context: Context = {
      ...{ clock, steadyClock: clock, log: silent, settings, pool, http, partitions: new Map() },
      seriesRanges: new SeriesRanges(),
      enqueue: async ({ name }, payloads) => {
        const job = jobs.find((one) => one.name === name)
        if (!job) throw new Error(`no job is called ${name}`)
        work.push(...payloads.map((payload) => ({ job, payload })))
        return payloads.map(() => randomUUID())
      },
      signal: new AbortController().signal,
      runId: randomUUID(),
    }
    world = new World({ context, exchange, server, clock, asked }, work)
    await inTransaction(pool, async (tx) => {
      const { added } = await trackConfigured(tx, settings.coins, start)
      await recordConfigured(tx, added)
    })
    return world
  }

  get pool(): Pool {
    return this.context.pool
  }

  async setClock(now: Instant): Promise<void> {
    this.clock.move(now - this.clock.now())
    await this.server.setClock(aheadOf(now))
  }

  setFaults(plan: FaultPlan): void {
    this.exchange.setFaults([...plan, ...this.lasting])
  }

  /** Runs a job as a worker does, with what it enqueues. Returns how it ended. */
  async run(job: AnyJob, payload: unknown): Promise<Fault | undefined> {
    const fault = await this.#try({ job, payload })
    for (let next = this.#enqueued.shift(); next; next = this.#enqueued.shift()) await this.#try(next)
    return fault
  }

  async #try({ job, payload }: Work): Promise<Fault | undefined> {
    const jobId = randomUUID()
    for (let attempt = 1; ; attempt += 1) {
      const fault = await this.#runOnce({ job, payload }, jobId, attempt)
      if (!fault || fault.remedy === 'give-up' || attempt === attempts) return fault
    }
  }

  async #runOnce({ job, payload }: Work, jobId: string, attempt: number): Promise<Fault | undefined> {
    const db = databaseOf(this.pool)
    const now = () => this.clock.now()
    const run = { job: job.name, queue: job.queueOf(payload), jobId, attempt, payload, startedAt: now() }
    const runId = await startRun(db, run)
    const report = { attempt, progress: async () => undefined, log: async () => undefined }
    try {
      const outcome = await job.run({ ...this.context, runId }, job.payload.parse(payload), report)
      await finishRun(db, runId, { status: 'done', outcome }, now())
      return undefined
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      const willRetry = attempt < attempts && error.remedy !== 'give-up'
      const end = { status: 'failed', error: error.message, fault: error.name, willRetry } as const
      await finishRun(db, runId, end, now())
      return error
    }
  }
}

/** A second behind, so that nothing that the jobs write lies in the server's future. */
const aheadOf = (now: Instant): number => Math.ceil((plus(now, second) - systemClock.now()) / second)

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/** Keeps what the exchange was asked for, of which its own record is short. */
const askedLog = (keep: (one: Asked) => void): Log => ({
  ...silent,
  debug: (
    _event,
    { path, status, fault }: { path?: string; status?: number; fault?: string | null } = {},
  ) => {
    if (!path?.startsWith('/api/v3/klines') || status !== 200 || (fault && fault !== 'revision')) return
    const query = new URL(path, 'http://localhost').searchParams
    keep({
      symbol: query.get('symbol') ?? '',
      interval: query.get('interval') ?? '',
      from: Number(query.get('startTime')),
      to: Number(query.get('endTime')) + 1,
    })
  },
})
