import { DrizzleQueryError } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { DatabaseError, type Pool, type PoolClient, type QueryConfig } from 'pg'
import { Fault, Misconfigured, Unavailable } from '../fault.ts'
import { currentSpan, inSpan } from '../runtime/trace.ts'
import { durationText } from '../settings/duration.ts'
import { BoundedPool, limitSilence, type Purpose } from './pool.ts'
import { refusalOf } from './quarantine/refusal.ts'

/** What a function needs that reads, or writes by a statement of its own: the pool's database, or that of a transaction. */
export type Database = Pick<NodePgDatabase, 'execute' | 'select' | 'selectDistinctOn'>

/** What a transaction reads and writes through, also with the row types of drizzle/schema. */
export type WritableDatabase = Database & Pick<NodePgDatabase, 'insert' | 'update' | 'delete'>

/** One connection between begin and commit. */
export type Transaction = Readonly<{ client: PoolClient; db: WritableDatabase }>

/**
 * The pool as a database for short work: each statement is a transaction of its own, for the purpose `answer`. What
 * another try can overcome is thrown by `execute` as Unavailable, as in a transaction, and no error of it tells a
 * parameter; a `select` needs `withFaults` for both.
 */
export function databaseOf(pool: Pool): Database {
  const db: Database = drizzle({ client: inOwnTransactions(pool) })
  const execute = db.execute.bind(db)
  return Object.assign(db, { execute: (query: Parameters<typeof execute>[0]) => withFaults(execute(query)) })
}

/**
 * The same pool, with a transaction of its own for each query: outside of one only the session could limit a statement,
 * and behind a pooler the session is not ours.
 */
export function inOwnTransactions(pool: Pool): Pool {
  const query = (config: QueryConfig | string, values: unknown[]) =>
    inTransaction(pool, ({ client }) => {
      currentSpan()?.annotate({ 'db.query.text': beginningOf(config) })
      return client.query(config, values)
    })
  // Nothing else is asked of a pool by those who get this one.
  return new Proxy(pool, { get: (target, key) => (key === 'query' ? query : Reflect.get(target, key)) })
}

/** Enough of a statement to know it by. Its values are bound, and not in it. */
const beginningOf = (query: QueryConfig | string): string =>
  (typeof query === 'string' ? query : query.text).trim().replaceAll(/\s+/g, ' ').slice(0, 200)

/** What another try can overcome is thrown as Unavailable, and no error tells the parameters of its statement. */
export async function withFaults<T>(work: PromiseLike<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw asFault(error)
  }
}

/**
 * Begins, works, commits; rolls back and throws when the work throws. A broken connection leaves the pool. The purpose
 * says how long one statement may take.
 */
export function inTransaction<T>(
  pool: Pool,
  work: (tx: Transaction) => Promise<T>,
  purpose: Purpose = 'answer',
): Promise<T> {
  const attributes = { 'db.system.name': 'postgresql', 'beacon.purpose': purpose }
  return inSpan('transaction', { kind: 'client', attributes }, () => transact(pool, work, purpose))
}

async function transact<T>(pool: Pool, work: (tx: Transaction) => Promise<T>, purpose: Purpose): Promise<T> {
  const client = await step('connect', purpose, () => connect(pool))
  let broken: Error | undefined
  // A connection may die between two queries: unheard, its event would end the process. The next query fails of it.
  const onLoss = (error: Error) => {
    broken = error
  }
  client.on('error', onLoss)
  try {
    await begin(pool, client, purpose)
    const result = await work({ client, db: drizzle({ client }) })
    await step('commit', purpose, () => client.query('commit'))
    return result
  } catch (failure) {
    broken = (await rollBack(client)) ?? broken
    const error = withoutParameters(failure)
    throw timeoutOf(error, pool, purpose) ?? asFault(error)
  } finally {
    client.off('error', onLoss)
    client.release(broken)
  }
}

/** What an answer takes is over too soon to be told step by step. */
const step = <T>(name: string, purpose: Purpose, work: () => Promise<T>): Promise<T> =>
  purpose === 'answer' ? work() : inSpan(name, {}, work)

/** As the migrations made them: a schema with the login's name would come first otherwise. */
const inPublic = 'begin; set local search_path = public'

/** The limits and the search path end with the transaction: behind a pooler the next one on the same connection may be another's. */
async function begin(pool: Pool, client: PoolClient, purpose: Purpose): Promise<void> {
  if (!(pool instanceof BoundedPool)) {
    await client.query(inPublic)
    return
  }
  const { statementTimeout, idleInTransactionTimeout, connectionTimeout } = pool.settings
  const statementMs = statementTimeout[purpose]
  limitSilence(client, connectionTimeout)
  // One message, so that the limits cost no round trip.
  await client.query(`
    ${inPublic};
    set local statement_timeout = ${statementMs};
    set local idle_in_transaction_session_timeout = ${idleInTransactionTimeout}`)
  // The server speaks first, unless the connection is dead.
  limitSilence(client, Math.max(statementMs, idleInTransactionTimeout) + connectionTimeout)
}

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw refusalOf(error) ?? missedConnection(error, pool) ?? asFault(error)
  }
}

/** The pool's driver has no codes for these. */
function missedConnection(error: unknown, { options }: Pool): Unavailable | undefined {
  const message = error instanceof Error ? error.message : ''
  const within = durationText(options.connectionTimeoutMillis ?? 0)
  if (message === 'timeout exceeded when trying to connect') {
    return new Unavailable(
      `all ${options.max} connections to the database stayed in use for ${within}: ` +
        'raise database.maxConnections, or lower queue.concurrency',
      { cause: error },
    )
  }
  if (/connection timeout|timeout expired|Query read timeout/.test(message)) {
    return new Unavailable(
      `the database did not answer within ${within}: is it running, and is DATABASE_URL right?`,
      { cause: error },
    )
  }
  return isConnectionLoss(error)
    ? new Unavailable(`the database cannot be reached: ${rootMessage(error)}`, { cause: error })
    : undefined
}

const queryCanceled = '57014'

/** A statement that took too long, with the setting that would give it more; undefined for any other error. */
function timeoutOf(error: unknown, pool: Pool, purpose: Purpose): Unavailable | undefined {
  if (!(pool instanceof BoundedPool) || sqlStateOf(error) !== queryCanceled) return undefined
  // The state of a statement that somebody cancelled is the same.
  if (/user request/.test(rootMessage(error))) return undefined
  const limit = durationText(pool.settings.statementTimeout[purpose])
  return new Unavailable(
    `the database needed more than ${limit} for one statement: raise database.statementTimeout.${purpose}`,
    { cause: error },
  )
}

async function rollBack(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback')
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/**
 * Classes of errors that another try can overcome: connection (08), resources (53), interference (40, 55), shutdown (57);
 * and a server that is read-only for now (25006), or ended a transaction that took too long (25P03, 25P04).
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const passing = /^(08|40|53|55|57)|^25(006|P03|P04)$/

export const insufficientPrivilege = '42501'

/** The SQLSTATE of an error of the server, through the wrapping of drizzle; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return error.code
  return error instanceof Error && error.cause !== undefined ? sqlStateOf(error.cause) : undefined
}

/** The message of drizzle holds every parameter, and so what users wrote and what is encrypted. */
function withoutParameters(error: unknown): unknown {
  return error instanceof DrizzleQueryError && error.cause !== undefined
    ? withoutParameters(error.cause)
    : error
}

function asFault(failure: unknown): unknown {
  const error = withoutParameters(failure)
  if (error instanceof Fault) return error
  const state = sqlStateOf(error)
  if (state === insufficientPrivilege) {
    const message = `the login of DATABASE_URL may not do it (${rootMessage(error)}): use the login that owns the tables`
    return new Misconfigured(message, { cause: error })
  }
  if (state !== undefined) {
    return passing.test(state)
      ? new Unavailable(`the database could not do it now: ${rootMessage(error)}`, { cause: error })
      : error
  }
  return isConnectionLoss(error)
    ? new Unavailable(`the database connection was lost: ${rootMessage(error)}`, { cause: error })
    : error
}

function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (/^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/.test((error as NodeJS.ErrnoException).code ?? ''))
    return true
  // The driver has no code for these.
  if (
    /Connection terminated|connection timeout|Client has encountered a connection error/i.test(error.message)
  )
    return true
  return error.cause !== undefined && isConnectionLoss(error.cause)
}

/** What the server or the driver said first, without the wrapping. */
export function rootMessage(error: unknown): string {
  // Node gathers the tries of several addresses in an error without a message.
  if (error instanceof AggregateError) return error.errors.map(rootMessage).join('; ')
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : rootMessage(error.cause)
}
