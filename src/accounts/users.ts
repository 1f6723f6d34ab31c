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

/** The address belongs to a user already. */
export class AddressTaken extends Fault {
  readonly code = 'ADDRESS_TAKEN'
  readonly remedy = 'give-up'
}

/** What a login needs to know of its user. */
export type Login = Readonly<Pick<User, 'id' | 'status' | 'tier'> & { passwordHash: string }>

const newUser = z.strictObject({ email: anyText, passwordHash: fittingText(255) })

/** `passwordHash` is made by the caller: a password itself has no business here. */
export type NewUser = Readonly<z.infer<typeof newUser>>

/**
 * Registers an active user in the free tier and returns the new id. Throws AddressTaken when the address is registered already, under
 * whichever key, and InvalidInput when it is none.
 */
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

/** What is decided about a user: the subscription, and whether the user may log in. What is left out stays. */
export type Standing = Readonly<z.infer<typeof standing>>

/**
 * Sets the user's tier or status, as the role `beacon_upkeep`: the application that acts for users may not. Throws
 * InvalidInput when there is no such user, and Misconfigured where the login may not take the role.
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

/** The user who logs in with this address, in whatever spelling; undefined when nobody does. */
export async function findLogin(
  { pool, ring }: Pick<Deps, 'pool' | 'ring'>,
  email: string,
): Promise<Login | undefined> {
  const address = normaliseAddress(email)
  // Nothing that long was ever registered.
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

/** The user's address, as it was normalised. Throws InvalidInput when there is no such user. */
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

/** Gives the user another address. Throws as registerUser does, and InvalidInput when there is no such user. */
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

/** What is asked of a user who is not there. */
export const noUser = (userId: string): InvalidInput =>
  new InvalidInput(`there is no user ${userId}: register one first`)

/** Not what mail servers accept, only what nobody could have meant. */
const isAddress = (address: string): boolean => /^[^\s@]+@[^\s@]+$/.test(address)

function toAddress(text: string): string {
  const address = normaliseAddress(text)
  if (!isAddress(address))
    throw new InvalidInput('the email is no address such as name@example.org: correct it')
  return address
}

/**
 * Makes sure that nobody else has the address, under any key, or takes it before this transaction ends. UNIQUE alone
 * would not do: while a new key comes in, two processes may write the same address under different ones.
 */
async function claimAddress(db: Database, ring: KeyRing, address: string, userId: string): Promise<void> {
  const forms = findableForms(ring, encryptedColumns.email, address)
  await db.execute(sql`select lock_addresses(${sql.param(forms)}::text[])`)
  // Whoever can name the encrypted address may see the row that bears it, but only for this one look.
  await db.execute(sql`select set_config('app.login_email', ${forms.join(',')}, true)`)
  const holders = await db.select({ id: users.id }).from(users).where(inArray(users.email, forms))
  await db.execute(sql`select set_config('app.login_email', '', true)`)
  if (holders.some(({ id }) => id !== userId)) {
    throw new AddressTaken('this email is registered already: log in with it, or use another')
  }
}
