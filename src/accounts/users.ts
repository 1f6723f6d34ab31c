import { randomUUID } from 'node:crypto'
import { eq, inArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import { type User, users } from '../../drizzle/schema/users.ts'
import { normaliseAddress } from '../encryption/address.ts'
import { encryptedColumns } from '../encryption/encrypted-columns.ts'
import { capacityOf, decrypt, encrypt, findableForms } from '../encryption/encrypted-value.ts'
import type { KeyRing } from '../encryption/key-ring.ts'
import { Fault, InvalidInput } from '../fault.ts'
import { toIso } from '../market/instant.ts'
import { asMaintenance, withLogin, withUser } from '../store/acting.ts'
import type { Database } from '../store/transaction.ts'
import { anyText, checkInput, fittingText, isRowId } from './input.ts'
import type { Deps } from './reach.ts'

/** The address is registered already. */
export class AddressTaken extends Fault {
  readonly code = 'ADDRESS_TAKEN'
  readonly remedy = 'give-up'
}

export type Login = Readonly<Pick<User, 'id' | 'status' | 'tier'> & { passwordHash: string }>

const newUser = z.strictObject({ email: anyText, passwordHash: fittingText(255) })

/** The caller hashes: passwords do not belong here. */
export type NewUser = Readonly<z.infer<typeof newUser>>

/** Registers an active user in the free tier; returns the id. Throws AddressTaken (under any key) or InvalidInput. */
export async function registerUser({ pool, ring, clock }: Deps, user: NewUser): Promise<string> {
  const { email, passwordHash } = checkInput(newUser, user)
  const address = toAddress(email)
  const id = randomUUID()
  const encrypted = encrypt(ring, encryptedColumns.email, id, address)
  const now = toIso(clock.now())
  await withUser(pool, id, async ({ db }) => {
    await claimAddress(db, ring, address, id)
    await db.execute(sql`
      insert into users (id, email, password, created_at, updated_at)
      values (${id}::uuid, ${encrypted}, ${passwordHash}, ${now}::timestamp, ${now}::timestamp)`)
  })
  return id
}

const standing = z.object({ tier: fittingText(50), status: z.enum(['active', 'suspended']) }).partial()

/** Subscription and permission to log in; absent fields stay. */
export type Standing = Readonly<z.infer<typeof standing>>

/**
 * Uses the role `beacon_upkeep`, as the application role may not. Throws InvalidInput for an unknown user,
 * Misconfigured if the login may not take the role.
 */
export async function setStanding(
  { pool, clock }: Pick<Deps, 'pool' | 'clock'>,
  userId: string,
  wanted: Standing,
): Promise<void> {
  const { tier = null, status = null } = checkInput(standing, wanted)
  if (!isRowId(userId)) throw noUser(userId)
  await asMaintenance(pool, async ({ db }) => {
    const { rowCount } = await db.execute(sql`
      update users set tier = coalesce(${tier}, tier), status = coalesce(${status}, status),
        updated_at = ${toIso(clock.now())}::timestamp
      where id = ${userId}::uuid`)
    if (rowCount === 0) throw noUser(userId)
  })
}

/** Finds a user by address in any spelling; undefined if none. */
export async function findLogin(
  { pool, ring }: Pick<Deps, 'pool' | 'ring'>,
  email: string,
): Promise<Login | undefined> {
  const address = normaliseAddress(email)
  // Longer addresses cannot be registered.
  if (!isAddress(address) || Buffer.byteLength(address) > capacityOf(encryptedColumns.email)) return undefined
  const forms = findableForms(ring, encryptedColumns.email, address)
  return withLogin(pool, forms, async ({ db }) => {
    const [login] = await db
      .select({ id: users.id, passwordHash: users.password, status: users.status, tier: users.tier })
      .from(users)
      .where(inArray(users.email, forms))
    return login
  })
}

/** Normalized. Throws InvalidInput for an unknown user. */
export async function readEmail(
  { pool, ring }: Pick<Deps, 'pool' | 'ring'>,
  userId: string,
): Promise<string> {
  return withUser(pool, userId, async ({ db }) => {
    const [user] = await db.select({ email: users.email }).from(users).where(eq(users.id, userId))
    if (!user) throw noUser(userId)
    return decrypt(ring, encryptedColumns.email, userId, user.email)
  })
}

/** Throws like registerUser, and InvalidInput for an unknown user. */
export async function changeEmail({ pool, ring, clock }: Deps, userId: string, email: string): Promise<void> {
  const address = toAddress(email)
  const encrypted = encrypt(ring, encryptedColumns.email, userId, address)
  await withUser(pool, userId, async ({ db }) => {
    await claimAddress(db, ring, address, userId)
    const { rowCount } = await db.execute(sql`
      update users set email = ${encrypted}, updated_at = ${toIso(clock.now())}::timestamp where id = ${userId}::uuid`)
    if (rowCount === 0) throw noUser(userId)
  })
}

/** The error for an unknown user. */
export const noUser = (userId: string): InvalidInput =>
  new InvalidInput(`there is no user ${userId}: register one first`)

/** Rejects only what cannot be an address. */
const isAddress = (address: string): boolean => /^[^\s@]+@[^\s@]+$/.test(address)

function toAddress(text: string): string {
  const address = normaliseAddress(text)
  if (!isAddress(address))
    throw new InvalidInput('the email is no address such as name@example.org: correct it')
  return address
}

/**
 * Reserves the address under all keys until the transaction ends. UNIQUE is not enough: during a key change two
 * processes may encrypt it differently.
 */
async function claimAddress(db: Database, ring: KeyRing, address: string, userId: string): Promise<void> {
  const forms = findableForms(ring, encryptedColumns.email, address)
  await db.execute(sql`select lock_addresses(${sql.param(forms)}::text[])`)
  // Allows reading the row with this address for one query.
  await db.execute(sql`select set_config('app.login_email', ${forms.join(',')}, true)`)
  const holders = await db.select({ id: users.id }).from(users).where(inArray(users.email, forms))
  await db.execute(sql`select set_config('app.login_email', '', true)`)
  if (holders.some(({ id }) => id !== userId)) {
    throw new AddressTaken('this email is registered already: log in with it, or use another')
  }
}
