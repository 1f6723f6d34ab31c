import { isPgPool, PostgresConnection, PostgresQueueBackend, runMigrations } from 'bullmq'
import { type Client, DatabaseError } from 'pg'
import { Misconfigured } from '../fault.ts'
import { type Instant, minute, second } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import { silenceOf, type WaitPolicy, whenAnswering } from '../runtime/when-answering.ts'
import { openClient } from '../store/connection/open-client.ts'
import { ServerPool } from '../store/connection/server-pool.ts'
import { serverStateOf } from '../store/connection/server-state.ts'
import { requireWritable } from '../store/connection/writable.ts'
import { refusalOf } from '../store/quarantine/refusal.ts'
import { lockDurationMs } from './locks.ts'
import { type Store, StoreRefusal } from './store.ts'
import { refuseWrongClock } from './wrong-clock.ts'

const schema = 'bullmq'

/** Without a limit a dead connection waits forever. */
const queryLimitMs = 10 * second
const connectionTimeoutMs = 5 * second

/** For all queues and workers, including the shared LISTEN: BullMQ's statements take milliseconds. */
const mostConnections = 5

type PostgresStoreOptions = Readonly<{
  databaseUrl: string
  clock: Clock
  waitPolicy: WaitPolicy
  onError(error: Error): void
}>

export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { databaseUrl, waitPolicy, onError } = options
  // The backend never recovers from a failed first connection.
  await whenAnswering(
    () => prepare(options),
    `${silenceOf('PostgreSQL', waitPolicy.waitMs)}: start it, or set DATABASE_URL`,
    waitPolicy,
  )
  const pool = openQueuePool(databaseUrl)
  // BullMQ's pool type differs from pg's.
  if (!isPgPool(pool)) throw new TypeError('a pool of pg is a pool for BullMQ')
  const connection = new PostgresConnection(pool)
  connection.setMaxListeners(0).on('error', onError)
  await connection.waitUntilReady()
  return {
    kind: 'postgres',
    backend: (name, queueOptions, use = {}) => {
      const options = { ...queueOptions, connection: {} }
      return use.withBlockingConnection
        ? new WorkerBackend(connection, name, options)
        : new PostgresQueueBackend(connection, name, options, false)
    },
    check: async () => {
      try {
        await requireWritable(pool)
      } catch (cause) {
        const state = serverStateOf(cause)
        throw state === undefined ? cause : new StoreRefusal(state, { cause })
      }
    },
    // BullMQ's remove and clean skip scheduled jobs.
    forgetJob: async ({ name }, id) => {
      await pool.query('delete from job where queue = $1 and id = $2', [name, id])
    },
    forgetFuture: async ({ name }, then) => {
      const { rowCount } = await pool.query(
        `delete from job where queue = $1 and state in ('completed', 'failed') and finished_at_ms > $2`,
        [name, then],
      )
      return rowCount ?? 0
    },
    shortenLocks: (queue, now) => shortenLocks(pool, queue.name, now),
    close: async () => {
      await connection.close()
      await pool.close(connectionTimeoutMs)
    },
  }
}

/** BullMQ writes both by the worker's clock; also wakes workers waiting for a future time. */
async function shortenLocks(pool: ServerPool, queue: string, now: Instant): Promise<number> {
  const { rowCount } = await pool.query(
    `update job set locked_until_ms = $2::bigint + $3
     where queue = $1 and state = 'active' and locked_until_ms > $2::bigint + $3 + $4`,
    [queue, now, lockDurationMs, second],
  )
  const checks = await pool.query(
    `update meta set value = $2::bigint
     where queue = $1 and field = 'stalled-check' and value::bigint > $2::bigint + $3`,
    [queue, now, second],
  )
  const shortened = (rowCount ?? 0) + (checks.rowCount ?? 0)
  if (shortened > 0) await pool.query(`select pg_notify('bullmq_jobs', $1)`, [queue])
  return shortened
}

function openQueuePool(databaseUrl: string): ServerPool {
  const pool = new ServerPool(databaseUrl, {
    application_name: 'beacon queue',
    max: mostConnections,
    connectionTimeoutMillis: connectionTimeoutMs,
    query_timeout: queryLimitMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: connectionTimeoutMs,
    options: `-c search_path=${schema}`,
  })
  pool.on('connect', (client) => client.setMaxListeners(0))
  return pool
}

/** Shares connections: closing ends only its own wait. */
class WorkerBackend extends PostgresQueueBackend {
  constructor(...[connection, name, options]: ConstructorParameters<typeof PostgresQueueBackend>) {
    super(connection, name, options, true)
  }

  override async close(): Promise<void> {
    await this.disconnectBlocking()
  }

  override async disconnect(): Promise<void> {
    await this.disconnectBlocking()
  }
}

async function prepare({ databaseUrl, clock }: PostgresStoreOptions): Promise<void> {
  let client: Client | undefined
  try {
    client = await openClient(databaseUrl, {
      applicationName: 'beacon queue',
      connectionTimeoutMs,
      // May wait for another process that migrates.
      queryTimeoutMs: minute,
      options: `-c search_path=${schema}`,
    })
    await refusePooler(client)
    await refuseWrongClock(client, clock)
    await runMigrations(client, schema)
  } catch (error) {
    throw withRemedy(error)
  } finally {
    await client?.end()
  }
}

const pooled =
  'the queue cannot stand behind a connection pooler such as PgBouncer: set REDIS_URL, or give the address of PostgreSQL itself in DATABASE_URL'

/** The backend needs session options and LISTEN; PgBouncer rejects or ignores the options. */
async function refusePooler(client: Client): Promise<void> {
  const { rows } = await client.query<{ path: string }>(`select current_setting('search_path') as path`)
  if (rows[0]?.path !== schema) throw new Misconfigured(pooled)
}

const notAllowed = '42501'
const protocolViolation = '08P01'

const needPeople = new Set(['UnsupportedPostgresVersionError', 'SchemaVersionMismatchError'])

function withRemedy(error: unknown): unknown {
  const message = messageOf(error)
  if (message !== undefined) return new Misconfigured(message, { cause: error })
  return refusalOf(error) ?? error
}

function messageOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (needPeople.has(error.name)) return error.message
  if (!(error instanceof DatabaseError)) return undefined
  if (error.code === notAllowed) {
    return `the database's role may not make the schema "${schema}": grant it create on the database`
  }
  return error.code === protocolViolation && /startup parameter/.test(error.message) ? pooled : undefined
}
