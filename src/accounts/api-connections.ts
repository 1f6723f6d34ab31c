import { randomUUID } from 'node:crypto'
import { asc, eq, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import {
  type ApiConnection as ApiConnectionRow,
  apiConnections,
} from '../../drizzle/schema/api-connections.ts'
import { encryptedColumns } from '../encryption/encrypted-columns.ts'
import { decrypt, encrypt } from '../encryption/encrypted-value.ts'
import { InvalidInput } from '../fault.ts'
import { toIso } from '../market/instant.ts'
import { withUser } from '../store/acting.ts'
import { anyText, checkInput, fittingText, isRowId, storableText } from './input.ts'
import { decryptIfAny, encryptIfAny } from './optional-value.ts'
import type { Deps } from './reach.ts'
import { noUser } from './users.ts'

const connectionFields = z.object({
  provider: fittingText(50),
  name: fittingText(100),
  status: fittingText(20),
  permissions: z.array(storableText).nullable(),
  apiKey: anyText.min(1, { error: 'is empty' }),
  apiSecret: anyText.nullable(),
  passphrase: anyText.nullable(),
})

/** Null where the exchange has no such secret. */
export type ApiConnectionFields = Readonly<z.infer<typeof connectionFields>>

type Secrets = 'apiKey' | 'apiSecret' | 'passphrase'

export type ApiConnectionSummary = Readonly<Omit<ApiConnectionRow, 'userId' | Secrets>>

/** With decrypted secrets. */
export type ApiConnection = ApiConnectionSummary & Readonly<Pick<ApiConnectionFields, Secrets>>

/** Returns the new id. Throws InvalidInput if a text does not fit or the user does not exist. */
export async function addApiConnection(
  { pool, ring, clock }: Deps,
  userId: string,
  connection: ApiConnectionFields,
): Promise<string> {
  const { provider, name, status, permissions, ...secrets } = checkInput(connectionFields, connection)
  const id = randomUUID()
  const apiKey = encrypt(ring, encryptedColumns.apiKey, id, secrets.apiKey)
  const apiSecret = encryptIfAny(ring, encryptedColumns.apiSecret, id, secrets.apiSecret)
  const passphrase = encryptIfAny(ring, encryptedColumns.passphrase, id, secrets.passphrase)
  const now = toIso(clock.now())
  await withUser(pool, userId, async ({ db }) => {
    const { rowCount } = await db.execute(sql`
      insert into api_connections (
        id, user_id, provider, name, api_key, api_secret, passphrase, created_at, updated_at, permissions, status
      )
      select
        ${id}::uuid, id, ${provider}, ${name}, ${apiKey}, ${apiSecret}, ${passphrase},
        ${now}::timestamp, ${now}::timestamp, ${sql.param(permissions)}::varchar[], ${status}
      from users where id = ${userId}::uuid`)
    if (rowCount === 0) throw noUser(userId)
  })
  return id
}

/** Throws InvalidInput if the user has none with this id. */
export async function readApiConnection(
  { pool, ring }: Pick<Deps, 'pool' | 'ring'>,
  userId: string,
  id: string,
): Promise<ApiConnection> {
  if (!isRowId(id)) throw noConnection(userId, id)
  return withUser(pool, userId, async ({ db }) => {
    const [row] = await db.select().from(apiConnections).where(eq(apiConnections.id, id))
    if (!row) throw noConnection(userId, id)
    const { userId: _, apiKey, apiSecret, passphrase, ...summary } = row
    return {
      ...summary,
      apiKey: decrypt(ring, encryptedColumns.apiKey, row.id, apiKey),
      apiSecret: decryptIfAny(ring, encryptedColumns.apiSecret, row.id, apiSecret),
      passphrase: decryptIfAny(ring, encryptedColumns.passphrase, row.id, passphrase),
    }
  })
}

export async function listApiConnections(
  { pool }: Pick<Deps, 'pool'>,
  userId: string,
): Promise<ApiConnectionSummary[]> {
  const { id, provider, name, createdAt, updatedAt, permissions, status } = apiConnections
  return withUser(pool, userId, ({ db }) =>
    db
      .select({ id, provider, name, createdAt, updatedAt, permissions, status })
      .from(apiConnections)
      .orderBy(asc(createdAt), asc(id)),
  )
}

/** Changes only the given fields. Throws InvalidInput if the user has none with this id. */
export async function updateApiConnection(
  { pool, ring, clock }: Deps,
  userId: string,
  id: string,
  changes: Partial<ApiConnectionFields>,
): Promise<void> {
  const { provider, name, status, permissions, apiKey, apiSecret, passphrase } = checkInput(
    connectionFields.partial(),
    changes,
  )
  const assignments = [
    provider === undefined ? [] : [sql`provider = ${provider}`],
    name === undefined ? [] : [sql`name = ${name}`],
    status === undefined ? [] : [sql`status = ${status}`],
    permissions === undefined ? [] : [sql`permissions = ${sql.param(permissions)}::varchar[]`],
    apiKey === undefined ? [] : [sql`api_key = ${encrypt(ring, encryptedColumns.apiKey, id, apiKey)}`],
    apiSecret === undefined
      ? []
      : [sql`api_secret = ${encryptIfAny(ring, encryptedColumns.apiSecret, id, apiSecret)}`],
    passphrase === undefined
      ? []
      : [sql`passphrase = ${encryptIfAny(ring, encryptedColumns.passphrase, id, passphrase)}`],
    [sql`updated_at = ${toIso(clock.now())}::timestamp`],
  ].flat()
  await changeOne(
    { pool },
    userId,
    id,
    sql`update api_connections set ${sql.join(assignments, sql`, `)} where id = ${id}::uuid`,
  )
}

/** Throws InvalidInput if the user has none with this id. */
export const removeApiConnection = (
  { pool }: Pick<Deps, 'pool'>,
  userId: string,
  id: string,
): Promise<void> => changeOne({ pool }, userId, id, sql`delete from api_connections where id = ${id}::uuid`)

async function changeOne(
  { pool }: Pick<Deps, 'pool'>,
  userId: string,
  id: string,
  statement: SQL,
): Promise<void> {
  if (!isRowId(id)) throw noConnection(userId, id)
  await withUser(pool, userId, async ({ db }) => {
    const { rowCount } = await db.execute(statement)
    if (rowCount === 0) throw noConnection(userId, id)
  })
}

const noConnection = (userId: string, id: string): InvalidInput =>
  new InvalidInput(`the user ${userId} has no API connection ${id}: list those there are`)
