import { type Client, DatabaseError } from 'pg'
import { Misconfigured, Unavailable } from '../../fault.ts'
import { second } from '../../market/instant.ts'
import { openClient } from '../connection/open-client.ts'
import { refusalOf } from '../quarantine/refusal.ts'

/** A dedicated connection, since migrating may wait long. */
export type MigrationTarget = Client | string

/** Opens and closes a connection if given a URL. */
export async function onTarget<T>(target: MigrationTarget, work: (client: Client) => Promise<T>): Promise<T> {
  if (typeof target !== 'string') return explained(target, work)
  const client = await connect(target)
  try {
    return await explained(client, work)
  } finally {
    await client.end()
  }
}

/** Adds the remedy to the server's errors. */
async function explained<T>(client: Client, work: (client: Client) => Promise<T>): Promise<T> {
  try {
    return await work(client)
  } catch (error) {
    throw refusalOf(error) ?? (await rightsMissing(client, error)) ?? error
  }
}

const insufficientPrivilege = '42501'

type Rights = Readonly<{ login: string; mayCreate: boolean; owner: string | null }>

/** The missing right and who can grant it, if migrations need it; else undefined. */
async function rightsMissing(client: Client, error: unknown): Promise<Misconfigured | undefined> {
  const cause = error instanceof Misconfigured ? error.cause : error
  if (!(cause instanceof DatabaseError) || cause.code !== insufficientPrivilege) return undefined
  const rights = await readRights(client)
  if (!rights) return undefined
  const { login, mayCreate, owner } = rights
  const refused = `${error instanceof Misconfigured ? error.message : cause.message}: let an administrator run`
  if (owner !== null) {
    return new Misconfigured(
      `${refused} "grant ${owner} to ${login}", or use the login ${owner}, which owns the tables`,
      { cause },
    )
  }
  return mayCreate
    ? undefined
    : new Misconfigured(`${refused} "grant usage, create on schema public to ${login}"`, { cause })
}

/** Undefined if the server cannot answer. `owner`: of the migrations table, if the login lacks its rights. */
async function readRights(client: Client): Promise<Rights | undefined> {
  try {
    const { rows } = await client.query<Rights>(`
      select quote_ident(current_user) as login,
        has_schema_privilege(public.oid, 'usage') and has_schema_privilege(public.oid, 'create') as "mayCreate",
        (select quote_ident(pg_get_userbyid(relowner)) from pg_class
          where relnamespace = public.oid and relname = 'schema_migrations'
            and not pg_has_role(relowner, 'usage')) as owner
      from pg_namespace as public
      where nspname = 'public'`)
    return rows[0]
  } catch {
    return undefined
  }
}

async function connect(url: string): Promise<Client> {
  try {
    return await openClient(url, { applicationName: 'beacon migrate', connectionTimeoutMs: 30 * second })
  } catch (cause) {
    const refusal = refusalOf(cause)
    if (refusal) throw refusal
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Unavailable(`the database does not answer (${why}): check DATABASE_URL and try again`, {
      cause,
    })
  }
}
