import { DrizzleQueryError } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { DatabaseError, type Pool, type PoolClient, type QueryConfig } from 'pg'
import { Fault, Misconfigured, Unavailable } from '../fault.ts'
import { currentSpan, inSpan } from '../runtime/trace.ts'
import { durationText } from '../settings/duration.ts'
import { BoundedPool, limitSilence, type Purpose } from './pool.ts'
import { refusalOf } from './quarantine/refusal.ts'

/** The pool's database or a transaction's, for reads and single statements. */
export type Database = Pick<NodePgDatabase, 'execute' | 'select' | 'selectDistinctOn'>

/** Also with the row types of drizzle/schema. */
export type WritableDatabase = Database & Pick<NodePgDatabase, 'insert' | 'update' | 'delete'>

export type Transaction = Readonly<{ client: PoolClient; db: WritableDatabase }>

/**
 * The pool as a database; each statement is its own transaction of purpose `answer`. `execute` throws retryable errors
 * as Unavailable, and none shows parameters; wrap `select` in `withFaults` for that.
 */
export function databaseOf(pool: Pool): Database {
  const db: Database = drizzle({ client: inOwnTransactions(pool) })
  const execute = db.execute.bind(db)
  return Object.assign(db, { execute: (query: Parameters<typeof execute>[0]) => withFaults(execute(query)) })
}

/**
 * Gives each query its own transaction: statement limits can only be local to one, as behind a pooler the session is
 * shared.
 */
export function inOwnTransactions(pool: Pool): Pool {
  const query = (config: QueryConfig | string, values: unknown[]) =>
    inTransaction(pool, ({ client }) => {
      currentSpan()?.annotate({ 'db.query.text': beginningOf(config) })
      return client.query(config, values)
    })
  return new Proxy(pool, { get: (target, key) => (key === 'query' ? query : Reflect.get(target, key)) })
}

/** Values are bound and so not in it. */
const beginningOf = (query: QueryConfig | string): string =>
  (typeof query === 'string' ? query : query.text).trim().replaceAll(/\s+/g, ' ').slice(0, 200)

/** Throws retryable errors as Unavailable and removes parameters from all. */
export async function withFaults<T>(work: PromiseLike<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw asFault(error)
  }
}

/**
 * Commits, or rolls back if work throws. A broken connection leaves the pool. The purpose sets the statement timeout.
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
  // A connection may be lost between queries; without a listener the process would exit. The next query fails.
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

/** Too short for spans of its own. */
const step = <T>(name: string, purpose: Purpose, work: () => Promise<T>): Promise<T> =>
  purpose === 'answer' ? work() : inSpan(name, {}, work)

/** A schema with the login's name would otherwise come first. */
const inPublic = 'begin; set local search_path = public'

/** Local to the transaction: behind a pooler the connection is shared. */
async function begin(pool: Pool, client: PoolClient, purpose: Purpose): Promise<void> {
  if (!(pool instanceof BoundedPool)) {
    await client.query(inPublic)
    return
  }
  const { statementTimeout, idleInTransactionTimeout, connectionTimeout } = pool.settings
  const statementMs = statementTimeout[purpose]
  limitSilence(client, connectionTimeout)
  // One round trip.
  await client.query(`
    ${inPublic};
    set local statement_timeout = ${statementMs};
    set local idle_in_transaction_session_timeout = ${idleInTransactionTimeout}`)
  // By then a live server would have sent something.
  limitSilence(client, Math.max(statementMs, idleInTransactionTimeout) + connectionTimeout)
}

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw refusalOf(error) ?? missedConnection(error, pool) ?? asFault(error)
  }
}

/** The driver has no codes for these. */
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

/** A statement timeout with the setting that raises it; undefined for other errors. */
function timeoutOf(error: unknown, pool: Pool, purpose: Purpose): Unavailable | undefined {
  if (!(pool instanceof BoundedPool) || sqlStateOf(error) !== queryCanceled) return undefined
  // A manual cancel has the same state.
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
 * Retryable: connection (08), resources (53), interference (40, 55), shutdown (57), read-only (25006), transaction
 * timeouts (25P03, 25P04). https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const passing = /^(08|40|53|55|57)|^25(006|P03|P04)$/

export const insufficientPrivilege = '42501'

/** Through drizzle's wrapping; undefined for other errors. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return error.code
  return error instanceof Error && error.cause !== undefined ? sqlStateOf(error.cause) : undefined
}

/** Drizzle's message contains all parameters, which may be user data or encrypted. */
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

/** The innermost message. */
export function rootMessage(error: unknown): string {
  // Node's AggregateError of several addresses has no message.
  if (error instanceof AggregateError) return error.errors.map(rootMessage).join('; ')
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : rootMessage(error.cause)
}
