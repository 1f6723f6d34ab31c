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

/** What the policies read; the empty text stands for nobody. */
type Acting = Readonly<{ role: Role; userId?: string; loginEmails?: string }>

/**
 * One transaction that sees and writes only what belongs to the user, as the role `beacon_app`. A user who is not there
 * yet is registered in the same way: with the id that its row will have. Throws InvalidInput for what is no UUID, and
 * Misconfigured where the login may not take the role.
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
 * One transaction before a login, when nobody is acting yet: as `beacon_app`, it reads the rows of users whose encrypted
 * address is one of these (the same address under each key), and nothing else of any user. Throws InvalidInput for what
 * cannot be an encrypted address.
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
 * One transaction for all users at once, as the role `beacon_upkeep`: it reaches what is encrypted, to encrypt it anew,
 * and notifications, to archive them. Throws Misconfigured where the login may not take the role.
 */
export const asMaintenance = <T>(pool: Pool, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  actingAs(pool, { role: 'beacon_upkeep' }, work)

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Without a comma, which stands between two of them. */
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
 * All of it ends with the transaction, so that a connection that goes back to a pool, ours or PgBouncer's, acts for
 * nobody. What somebody may have set for the session is set as well: only what is said here counts.
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
  // The refusal has spoilt the transaction, and only outside of it can the server say who we are.
  await client.query('rollback')
  const { rows } = await client.query<{ login: string }>('select quote_ident(session_user) as login')
  const login = rows[0]?.login
  return new Misconfigured(
    `the login ${login} may not act as ${role}: let an administrator run "grant ${role} to ${login}"`,
    { cause },
  )
}
