import { statfs } from 'node:fs/promises'
import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import type { Incident } from '../../drizzle/schema/monitoring.ts'
import { Fault } from '../fault.ts'
import { postWebhook } from '../http/webhook.ts'
import { day, hour, type Instant, plus, second, toIso } from '../market/instant.ts'
import { floorTo } from '../market/timeframe.ts'
import { everyProcess } from '../runtime/every-process.ts'
import type { Releases } from '../runtime/release.ts'
import type { Settings } from '../settings.ts'
import { blockingFindings, describeBlocking } from '../status/blocking.ts'
import { forgetGoneFailures } from '../status/failures.ts'
import { type Finding, pathOf } from '../status/finding.ts'
import { findingsOf, isUnknown } from '../status/overall.ts'
import { readinessFindings, seenFrom } from '../status/readiness/findings.ts'
import { gatherFacts, type StatusDeps } from '../status/status.ts'
import { listCoins } from '../store/coins.ts'
import { readBlockingSessions } from '../store/figures/blocking-sessions.ts'
import { readDatabaseFigures, readIndexUsage } from '../store/figures/database-figures.ts'
import { readEnds, readSamples, writeSample } from '../store/figures/database-samples.ts'
import {
  type Concern,
  type Delivery,
  forgetIncidents,
  listOpenIncidents,
  reconcileIncidents,
  takeDelivery,
} from '../store/incidents.ts'
import { type Database, databaseOf } from '../store/transaction.ts'
import { databaseConcerns, indexConcerns, recentMs } from './thresholds.ts'

export type MonitorDeps = StatusDeps &
  Readonly<{
    /** Whether the server's disk is local. */
    serverIsHere: boolean
  }>

/** Everything once a minute; obstacles also in between. */
const everyMinute = '10 * * * * *'
const inBetween = '30,50 * * * * *'

/** Largest first. */
const mostIndexes = 50

/** Resolved incidents are deleted after this. */
const keptIncidentsMs = 90 * day

export function startMonitor(deps: MonitorDeps, releases: Releases): void {
  const { log } = deps
  const monitor = new Monitor(deps)
  const watch = (pattern: string, check: () => Promise<void>) => {
    const task = everyProcess(
      pattern,
      async () => {
        try {
          await check()
        } catch (error) {
          // The database is probably down; only the log remains.
          log.warn('monitor.failed', { reason: error instanceof Error ? error.message : String(error) })
        }
      },
      log,
    )
    releases.push(() => task.destroy())
  }
  watch(everyMinute, () => monitor.check())
  watch(inBetween, () => monitor.checkObstacles())
}

/** Opens incidents for what two checks in a row see. */
export class Monitor {
  readonly #deps: MonitorDeps
  /** Concerns of the last check, and those also in the one before. */
  #seen: readonly Concern[] = []
  #standing: readonly Concern[] = []
  #obstaclesBefore: ReadonlySet<string> = new Set()

  constructor(deps: MonitorDeps) {
    this.#deps = deps
  }

  async check(): Promise<void> {
    const { pool, clock } = this.#deps
    const now = clock.now()
    await forgetGoneFailures(databaseOf(pool), { ...this.#deps, coins: await listCoins(databaseOf(pool)) })
    const before = new Set(this.#seen.map(({ key }) => key))
    const open = await listOpenIncidents(databaseOf(pool))
    const { concerns, lasting } = await this.#findAll(now, open)
    const isOpen = new Set(open.map(({ key }) => key))
    this.#seen = concerns
    this.#standing = [...concerns.filter(({ key }) => isOpen.has(key) || before.has(key)), ...lasting]
    await this.#reconcile(now)
    await forgetIncidents(databaseOf(pool), plus(now, -keptIncidentsMs))
  }

  /** Touches no table that another session may lock. */
  async checkObstacles(): Promise<void> {
    await this.#reconcile(this.#deps.clock.now())
  }

  async #reconcile(now: Instant): Promise<void> {
    const { pool, settings, log } = this.#deps
    const obstacles = await this.#standingObstacles()
    const hasWebhook = settings.monitoring.webhook !== undefined
    const concerns = [...obstacles, ...this.#standing]
    const { opened, resolved } = await reconcileIncidents(pool, concerns, now, hasWebhook)
    for (const { key, message } of opened) log.warn('alert.opened', { key, message })
    for (const { key, message } of resolved) log.info('alert.resolved', { key, message })
    await deliverAll(this.#deps)
  }

  /** Blocking sessions have blocked for a while already. */
  async #standingObstacles(): Promise<Concern[]> {
    const blocking = await readBlockingSessions(databaseOf(this.#deps.pool))
    const readiness = readinessFindings(await this.#deps.readiness()).map(asConcern)
    const open = await this.#openKeys()
    const standing = readiness.filter(({ key }) => open.has(key) || this.#obstaclesBefore.has(key))
    this.#obstaclesBefore = new Set(readiness.map(({ key }) => key))
    return [...blockingFindings(blocking.map(describeBlocking)).map(asConcern), ...standing]
  }

  async #openKeys(): Promise<ReadonlySet<string>> {
    const open = await listOpenIncidents(databaseOf(this.#deps.pool))
    return new Set(open.map(({ key }) => key))
  }

  async #ofDatabase(now: Instant): Promise<Concern[]> {
    const { pool, settings, serverIsHere } = this.#deps
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

  /** Findings, plus open alerts that continue in a milder form or cannot be checked. */
  async #findAll(now: Instant, open: readonly Incident[]) {
    const ofDatabase = await this.#ofDatabase(now)
    const facts = await gatherFacts(this.#deps)
    const findings = findingsOf(facts, this.#deps.settings, now).filter(({ key }) => !isObstacle(key))
    const grave = findings.filter(({ state }) => state === 'attention').map(asConcern)
    const milder = findings.filter(({ state }) => state !== 'attention').map(asConcern)
    const unseen = open.filter(({ key }) => isUnknown(facts, key) && !isObstacle(key)).map(asConcern)
    const keys = new Set(open.map(({ key }) => key))
    return {
      concerns: [...ofDatabase, ...grave],
      lasting: [...milder.filter(({ key }) => keys.has(key)), ...unseen],
    }
  }
}

const asConcern = ({ key, message, details }: Finding | Incident): Concern => ({
  key,
  message,
  ...(details ? { details } : {}),
})

/** Handled by `checkObstacles`. */
const isObstacle = (key: string): boolean => key.endsWith(seenFrom) || key.startsWith('database.blocked ')

/** Free space for the data folder; undefined if not visible. */
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

/** Delivers pending webhooks; failures are retried with increasing delay. */
async function deliverAll({
  pool,
  clock,
  settings,
  log,
}: Pick<MonitorDeps, 'clock' | 'log'> &
  Readonly<{ pool: Pool; settings: Pick<Settings, 'monitoring' | 'environment'> }>) {
  const { webhook } = settings.monitoring
  if (!webhook) return
  const deliver = async (delivery: Delivery) => {
    const now = clock.now()
    try {
      await postWebhook(webhook, messageOf(delivery, pageUrlOf(settings)), now)
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

/** URL of the status page. */
const pageUrlOf = ({
  monitoring,
  environment: { httpHost, httpPort, httpBasePath },
}: Pick<Settings, 'monitoring' | 'environment'>): string =>
  monitoring.pageUrl ??
  `http://${httpHost.includes(':') ? `[${httpHost}]` : httpHost}:${httpPort}${httpBasePath}`

/** Receivers deduplicate by id and event. */
function messageOf({ event, incident }: Delivery, pageUrl: string) {
  const { id, key, message, openedAt, resolvedAt, details } = incident
  return {
    event,
    id,
    key,
    message,
    ...details,
    link: `${pageUrl}${pathOf(key)}`,
    openedAt: toIso(openedAt),
    ...(resolvedAt === undefined ? {} : { resolvedAt: toIso(resolvedAt) }),
  }
}
