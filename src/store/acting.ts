import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { InvalidInput, Misconfigured } from '../fault.ts'
import {
  insufficientPrivilege,
  inTransaction,
  sqlStateOf,
  type Transaction,
  withFaults,
} from './transaction.ts'

type Role = 'beacon_app' | 'beacon_upkeep'

/** Settings that the row-level policies read; an empty text means no user. */
type Acting = Readonly<{ role: Role; userId?: string; loginEmails?: string }>

/**
 * Runs a transaction as role `beacon_app`, limited to one user's rows; registers a user without a row. Throws
 * InvalidInput for an invalid UUID, Misconfigured if the login may not take the role.
 */
export async function withUser<T>(
  pool: Pool,
  userId: string,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  if (!uuid.test(userId)) throw new InvalidInput('the user id is no UUID: pass the id of a row of users')
  return actingAs(pool, { role: 'beacon_app', userId }, work)
}

/**
 * Runs a transaction before login as `beacon_app`: it can only read users whose encrypted address is in the list (one
 * per key). Throws InvalidInput for an invalid ciphertext.
 */
export async function withLogin<T>(
  pool: Pool,
  encryptedEmails: readonly string[],
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  if (encryptedEmails.length === 0 || !encryptedEmails.every((email) => ciphertext.test(email))) {
    throw new InvalidInput(
      'the login names no encrypted address: encrypt the address under each key and pass those',
    )
  }
  return actingAs(pool, { role: 'beacon_app', loginEmails: encryptedEmails.join(',') }, work)
}

/**
 * Runs a transaction for all users as role `beacon_upkeep`: re-encryption and archiving of notifications. Throws
 * Misconfigured if the login may not take the role.
 */
export const asMaintenance = <T>(pool: Pool, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  actingAs(pool, { role: 'beacon_upkeep' }, work)

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Without a comma, which separates the addresses. */
const ciphertext = /^[A-Za-z0-9._-]{1,255}$/

const actingAs = <T>(pool: Pool, acting: Acting, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  inTransaction(
    pool,
    async (tx) => {
      await act(tx, acting)
      return work(tx)
    },
    acting.role === 'beacon_upkeep' ? 'maintenance' : 'answer',
  )

/**
 * Everything is local to the transaction, so a pooled connection carries no user over; session settings are overridden.
 */
async function act(tx: Transaction, { role, userId = '', loginEmails = '' }: Acting): Promise<void> {
  try {
    await withFaults(
      tx.db.execute(sql`
        select set_config('app.user_id', ${userId}, true), set_config('app.login_email', ${loginEmails}, true),
          set_config('role', ${role}, true)`),
    )
  } catch (error) {
    throw await roleRefused(tx, role, error)
  }
}

const invalidParameterValue = '22023'

async function roleRefused({ client }: Transaction, role: Role, cause: unknown): Promise<unknown> {
  const state = sqlStateOf(cause)
  if (state === invalidParameterValue) {
    return new Misconfigured(`there is no role ${role} on this server: run "beacon migrate up"`, { cause })
  }
  if (state !== insufficientPrivilege) return cause
  // The transaction is aborted: the login can only be read outside of it.
  await client.query('rollback')
  const { rows } = await client.query<{ login: string }>('select quote_ident(session_user) as login')
  const login = rows[0]?.login
  return new Misconfigured(
    `the login ${login} may not act as ${role}: let an administrator run "grant ${role} to ${login}"`,
    { cause },
  )
}
