import { statfs } from 'node:fs/promises'
import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Fault } from '../fault.ts'
import { postWebhook } from '../http/webhook.ts'
import { day, hour, type Instant, plus, second, toIso } from '../market/instant.ts'
import { floorTo } from '../market/timeframe.ts'
import { everyProcess } from '../runtime/every-process.ts'
import type { Releases } from '../runtime/release.ts'
import type { Settings } from '../settings.ts'
import { readBlockingSessions } from '../store/blocking-sessions.ts'
import { readDatabaseFigures, readIndexUsage } from '../store/database-figures.ts'
import { readEnds, readSamples, writeSample } from '../store/database-samples.ts'
import {
  type Concern,
  type Delivery,
  forgetIncidents,
  listOpenIncidents,
  reconcileIncidents,
  takeDelivery,
} from '../store/incidents.ts'
import { type Database, databaseOf } from '../store/transaction.ts'
import { readinessFindings, seenFrom } from '../web/readiness/findings.ts'
import { blockingFindings, describeBlocking } from '../web/status/blocking.ts'
import type { Finding } from '../web/status/finding.ts'
import { findingsOf } from '../web/status/overall.ts'
import { gatherFacts, type StatusReach } from '../web/status/status.ts'
import { databaseConcerns, indexConcerns, recentMs } from './thresholds.ts'

export type MonitorReach = StatusReach &
  Readonly<{
    /** Whether the server's disk is one of this machine. */
    serverIsHere: boolean
  }>

/** The figures of everything once a minute; what stops the work also in between. */
const everyMinute = '10 * * * * *'
const inBetween = '30,50 * * * * *'

/** Of so many indexes it is asked whether anybody uses them, the largest first. */
const mostIndexes = 50

/** How long incidents that are over are kept. */
const keptIncidentsMs = 90 * day

/** Watches everything until released, in every process; together they tell of everything once. */
export function startMonitor(reach: MonitorReach, releases: Releases): void {
  const { log } = reach
  const monitor = new Monitor(reach)
  const watch = (pattern: string, look: () => Promise<void>) => {
    const task = everyProcess(
      pattern,
      async () => {
        try {
          await look()
        } catch (error) {
          // The database is away, most likely: the log is all that is left to tell it to.
          log.warn('monitor.failed', { reason: error instanceof Error ? error.message : String(error) })
        }
      },
      log,
    )
    releases.push(() => task.destroy())
  }
  watch(everyMinute, () => monitor.look())
  watch(inBetween, () => monitor.checkObstacles())
}

/** One process's watch. What it sees twice in a row becomes an incident: a hiccup does not. */
export class Monitor {
  readonly #reach: MonitorReach
  /** What the last look has seen, and what of it the one before it had seen too. */
  #seen: readonly Concern[] = []
  #standing: readonly Concern[] = []
  #obstaclesBefore: ReadonlySet<string> = new Set()

  constructor(reach: MonitorReach) {
    this.#reach = reach
  }

  /** Looks at everything. */
  async look(): Promise<void> {
    const { pool, clock } = this.#reach
    const now = clock.now()
    const before = new Set(this.#seen.map(({ key }) => key))
    this.#seen = [...(await this.#ofDatabase(now)), ...(await this.#ofEverything(now))]
    const open = await this.#openKeys()
    this.#standing = this.#seen.filter(({ key }) => open.has(key) || before.has(key))
    await this.#reconcile(now)
    await forgetIncidents(databaseOf(pool), plus(now, -keptIncidentsMs))
  }

  /** Checks only what may stop the work: it touches no table that another program can have locked. */
  async checkObstacles(): Promise<void> {
    await this.#reconcile(this.#reach.clock.now())
  }

  async #reconcile(now: Instant): Promise<void> {
    const { pool, settings, log } = this.#reach
    const obstacles = await this.#standingObstacles()
    const hasWebhook = settings.monitoring.webhook !== undefined
    const concerns = [...obstacles, ...this.#standing]
    const { opened, resolved } = await reconcileIncidents(pool, concerns, now, hasWebhook)
    for (const { key, sentence } of opened) log.warn('alert.opened', { key, sentence })
    for (const { key, sentence } of resolved) log.info('alert.resolved', { key, sentence })
    await deliverAll(this.#reach)
  }

  /** A session that blocks ours has done so for a while already. */
  async #standingObstacles(): Promise<Concern[]> {
    const blocking = await readBlockingSessions(databaseOf(this.#reach.pool))
    const readiness = readinessFindings(await this.#reach.readiness()).map(asConcern)
    const open = await this.#openKeys()
    const standing = readiness.filter(({ key }) => open.has(key) || this.#obstaclesBefore.has(key))
    this.#obstaclesBefore = new Set(readiness.map(({ key }) => key))
    return [...blockingFindings(blocking.map(describeBlocking)).map(asConcern), ...standing]
  }

  async #openKeys(): Promise<ReadonlySet<string>> {
    const open = await listOpenIncidents(databaseOf(this.#reach.pool))
    return new Set(open.map(({ key }) => key))
  }

  async #ofDatabase(now: Instant): Promise<Concern[]> {
    const { pool, settings, serverIsHere } = this.#reach
    const db = databaseOf(pool)
    const figures = await readDatabaseFigures(db)
    const diskFreeBytes = serverIsHere ? await readFreeBytes(db) : undefined
    const keptFrom = plus(now, -settings.monitoring.keep)
    await writeSample(pool, floorTo('1m', now), { ...figures, diskFreeBytes }, keptFrom)
    const kept = await readEnds(db, keptFrom)
    const indexes = {
      usage: await readIndexUsage(db, mostIndexes),
      kept,
      ofDay: await readEnds(db, plus(now, -day)),
    }
    return [
      ...databaseConcerns(await readSamples(db, plus(now, -recentMs)), kept, settings.monitoring),
      ...indexConcerns(indexes, settings.monitoring),
    ]
  }

  async #ofEverything(now: Instant): Promise<Concern[]> {
    const findings = findingsOf(await gatherFacts(this.#reach), this.#reach.settings, now)
    return findings.filter(({ state, key }) => state === 'attention' && !isObstacle(key)).map(asConcern)
  }
}

const asConcern = ({ key, sentence }: Finding): Concern => ({ key, sentence })

/** What `checkObstacles` reads by itself. */
const isObstacle = (key: string): boolean => key.endsWith(seenFrom) || key.startsWith('database.blocked ')

/** Free for others than root, where the server keeps its data; undefined where the login may not know where that is. */
async function readFreeBytes(db: Database): Promise<number | undefined> {
  const { rows } = await db.execute<{ folder: string }>(
    sql`select setting as folder from pg_settings where name = 'data_directory'`,
  )
  const [found] = rows
  if (!found) return undefined
  const { bavail, bsize } = await statfs(found.folder)
  return bavail * bsize
}

const mostAtOnce = 20

/** Tells the webhook what it is still to be told. What fails is tried again, later each time. */
export async function deliverAll({
  pool,
  clock,
  settings,
  log,
}: Pick<MonitorReach, 'clock' | 'log'> & Readonly<{ pool: Pool; settings: Pick<Settings, 'monitoring'> }>) {
  const { webhook } = settings.monitoring
  if (!webhook) return
  const deliver = async (delivery: Delivery) => {
    const now = clock.now()
    try {
      await postWebhook(webhook, messageOf(delivery), now)
      return { delivered: true } as const
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      log.warn('webhook.failed', { attempts: delivery.attempts + 1, reason: error.message })
      return { error: error.message, dueAt: plus(now, Math.min(hour, 30 * second * 2 ** delivery.attempts)) }
    }
  }
  for (let count = 0; count < mostAtOnce; count += 1) {
    if (!(await takeDelivery(pool, clock.now(), deliver))) return
  }
}

/** What the webhook gets. The id is the incident's: what comes twice is known by id and event. */
function messageOf({ event, incident }: Delivery) {
  const { id, key, sentence, openedAt, resolvedAt } = incident
  return {
    event,
    id,
    key,
    sentence,
    openedAt: toIso(openedAt),
    ...(resolvedAt === undefined ? {} : { resolvedAt: toIso(resolvedAt) }),
  }
}
