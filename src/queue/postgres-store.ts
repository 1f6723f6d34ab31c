import { createPostgresBackend, PostgresConnection, PostgresQueueBackend, runMigrations } from 'bullmq'
import { Client, DatabaseError } from 'pg'
import { Misconfigured } from '../fault.ts'
import { minute, second } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Patience, whenAnswering } from '../runtime/when-answering.ts'
import type { Store } from './store.ts'

const schema = 'bullmq'
const largestClockDifferenceMs = 5 * second

const connectionLimits = {
  connectionTimeoutMillis: 5 * second,
  // Without it a connection that died silently is waited on for ever.
  query_timeout: 10 * second,
  keepAlive: true,
}

type PostgresStoreOptions = Readonly<{
  databaseUrl: string
  clock: Clock
  patience: Patience
  onError(error: Error): void
}>

/**
 * Waits for PostgreSQL, brings the queue's schema up to date and opens the connections of all queues. Throws Unavailable
 * when it did not answer in time, and Misconfigured where a person must act.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { databaseUrl, patience, onError } = options
  // First of all: the backend remembers a failed first connection for ever.
  await whenAnswering(
    () => prepare(options),
    `PostgreSQL did not answer within ${patience.waitMs / second} s: start it, or set DATABASE_URL`,
    patience,
  )
  const connection = { ...connectionLimits, connectionString: databaseUrl, max: 3, schema }
  // One for all queues. A worker has its own: its LISTEN and its polling would leave the others no place.
  const ofQueues = new PostgresConnection(connection)
  ofQueues.on('error', onError)
  await ofQueues.waitUntilReady()
  return {
    kind: 'postgres',
    backend: (name, queueOptions, use = {}) =>
      use.withBlockingConnection
        ? createPostgresBackend(name, { ...queueOptions, connection }, use)
        : new PostgresQueueBackend(ofQueues, name, { ...queueOptions, connection }, false),
    ping: async () => {
      await ofQueues.pool.query('select 1')
    },
    close: () => ofQueues.close(),
  }
}

async function prepare({ databaseUrl, clock }: PostgresStoreOptions): Promise<void> {
  const client = new Client({
    ...connectionLimits,
    connectionString: databaseUrl,
    // Another process may be migrating, and this one then waits for its lock.
    query_timeout: minute,
  })
  // The query under way tells of a lost connection too; unheard, the event would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await refuseWrongClock(client, clock)
    await runMigrations(client, schema)
  } catch (error) {
    throw withRemedy(error)
  } finally {
    await client.end()
  }
}

/** Locks and delays are written in the worker's own time: a wrong clock takes jobs away from healthy workers. */
async function refuseWrongClock(client: Client, clock: Clock): Promise<void> {
  const before = clock.now()
  const { rows } = await client.query<{ epoch_ms: string }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::bigint as epoch_ms',
  )
  const middle = (before + clock.now()) / 2
  const differenceMs = Math.abs(Number(rows[0]?.epoch_ms) - middle)
  if (differenceMs <= largestClockDifferenceMs) return
  throw new Misconfigured(
    `this machine's clock is ${Math.round(differenceMs / second)} s away from the database's: set both by NTP, then start again`,
  )
}

const remedies: Readonly<Record<string, string>> = {
  '28000': 'PostgreSQL refuses the login: check the user in DATABASE_URL',
  '28P01': 'PostgreSQL refuses the password: check DATABASE_URL',
  '3D000': 'the database does not exist: create it, or change its name in DATABASE_URL',
  '42501': `the database's role may not make the schema "${schema}": grant it create on the database`,
}

const needPeople = new Set(['UnsupportedPostgresVersionError', 'SchemaVersionMismatchError'])

function withRemedy(error: unknown): unknown {
  if (error instanceof DatabaseError && error.code !== undefined) {
    const sentence = remedies[error.code]
    if (sentence !== undefined) return new Misconfigured(sentence, { cause: error })
  }
  if (error instanceof Error && needPeople.has(error.name)) {
    return new Misconfigured(error.message, { cause: error })
  }
  return error
}
