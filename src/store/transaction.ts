import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { DatabaseError, type Pool, type PoolClient } from 'pg'
import { Unavailable } from '../fault.ts'

/** What a function needs to read or write: the pool's own database, or that of a transaction. */
export type Database = Pick<NodePgDatabase, 'execute' | 'select' | 'selectDistinctOn'>

/** One connection between begin and commit. */
export type Transaction = Readonly<{ client: PoolClient; db: Database }>

/** The pool as a database. What another try can overcome is thrown as Unavailable, as in a transaction. */
export function databaseOf(pool: Pool): Database {
  const db: Database = drizzle(pool)
  const execute = db.execute.bind(db)
  return Object.assign(db, { execute: (query: Parameters<typeof execute>[0]) => withFaults(execute(query)) })
}

/** What another try can overcome is thrown as Unavailable. */
export async function withFaults<T>(work: PromiseLike<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw asFault(error)
  }
}

/** Begins, works, commits; rolls back and throws when the work throws. A broken connection leaves the pool. */
export async function inTransaction<T>(pool: Pool, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const client = await connect(pool)
  let broken: Error | undefined
  // A connection may die between two queries: unheard, its event would end the process. The next query fails of it.
  const onLoss = (error: Error) => {
    broken = error
  }
  client.on('error', onLoss)
  try {
    await client.query('begin')
    const result = await work({ client, db: drizzle(client) })
    await client.query('commit')
    return result
  } catch (error) {
    broken = (await rollBack(client)) ?? broken
    throw asFault(error)
  } finally {
    client.off('error', onLoss)
    client.release(broken)
  }
}

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw asFault(error)
  }
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

/** The SQLSTATE of an error of the server, through the wrapping of drizzle; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return error.code
  return error instanceof Error && error.cause !== undefined ? sqlStateOf(error.cause) : undefined
}

function asFault(error: unknown): unknown {
  const state = sqlStateOf(error)
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
export const rootMessage = (error: unknown): string =>
  error instanceof Error
    ? error.cause === undefined
      ? error.message
      : rootMessage(error.cause)
    : String(error)
