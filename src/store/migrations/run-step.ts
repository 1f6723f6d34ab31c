import { type Client, DatabaseError } from 'pg'
import { Misconfigured, Unavailable } from '../../fault.ts'
import { second } from '../../market/instant.ts'
import { refusalOf } from '../quarantine/refusal.ts'

/** How long to wait while another process migrates. */
const turnMs = 600 * second
/** How long a step waits for a table that is in use, with everybody else queueing behind it. */
const tableLockMs = 30 * second

/**
 * The text goes through EXECUTE, which runs several statements but refuses a `commit` among them: a file cannot leave half
 * of itself behind.
 */
export async function runFile(client: Client, file: string, text: string): Promise<void> {
  try {
    await setLocally(client, {
      lock_timeout: `${tableLockMs}ms`,
      TimeZone: 'UTC',
      // A schema with the login's name would come first otherwise, and take the tables.
      search_path: 'public',
      'beacon.migration': text,
    })
    await client.query(`do $$ begin execute current_setting('beacon.migration'); end $$`)
    // What is checked at the end is checked before, so that the commit cannot fail.
    await client.query('set constraints all immediate')
  } catch (cause) {
    throw toFault(file, text, cause)
  }
}

function toFault(file: string, text: string, cause: unknown): unknown {
  if (!(cause instanceof DatabaseError)) {
    return new Unavailable(`${file} was interrupted and is not applied: try again`, { cause })
  }
  const refusal = refusalOf(cause)
  if (refusal instanceof Misconfigured) return refusal
  const line = cause.internalPosition ? lineAt(text, Number(cause.internalPosition), cause.internalQuery) : ''
  const message = `${file}${line} failed and was rolled back: ${cause.message}`
  // Someone else was in the way: a lock not had in time, a deadlock, a server going down.
  const mayPass = /^(55P03|40P01|40001|57P0|53)/.test(cause.code ?? '')
  return mayPass ? new Unavailable(`${message}; try again`, { cause }) : new Misconfigured(message, { cause })
}

/** Where in the file PostgreSQL found the error, if it speaks of the file and not of a function called by it. */
function lineAt(text: string, position: number, query: string | undefined): string {
  if (query !== text) return ''
  return ` (line ${text.slice(0, position).split('\n').length})`
}

/**
 * One transaction that has the history for itself: one process at a time runs a step, and the next finds what it did. A
 * lock on the table, which only its owner may take; an advisory lock could be held by every login.
 */
export async function inTurn<T>(client: Client, work: () => Promise<T>): Promise<T> {
  try {
    await client.query('begin')
    await takeTurn(client)
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    throw await afterwards(client, error)
  }
}

async function takeTurn(client: Client): Promise<void> {
  try {
    await setLocally(client, { lock_timeout: `${turnMs}ms` })
    await client.query('lock table public.schema_migrations in share row exclusive mode')
  } catch (cause) {
    const isBusy = cause instanceof DatabaseError && cause.code === '55P03'
    throw isBusy
      ? new Unavailable('another process is still migrating the database: try again when it is done', {
          cause,
        })
      : cause
  }
}

/** Settings of this transaction alone. The role's limits are for its daily work: a step takes as long as it takes. */
async function setLocally(client: Client, settings: Readonly<Record<string, string>>): Promise<void> {
  const all = { statement_timeout: '0', idle_in_transaction_session_timeout: '0', ...settings }
  await client.query(
    'select set_config(name, value, true) from unnest($1::text[], $2::text[]) as setting (name, value)',
    [Object.keys(all), Object.values(all)],
  )
}

/** Rolls back after a failure and gives it back. That fails only where the connection is lost, which then is the failure. */
async function afterwards(client: Client, failure: unknown): Promise<unknown> {
  try {
    await client.query('rollback')
    return failure
  } catch (error) {
    const cause = new AggregateError([failure, error])
    return new Unavailable('the connection to the database was lost: try again', { cause })
  }
}
