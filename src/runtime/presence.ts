import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { Client, Pool } from 'pg'
import { type Instant, second } from '../market/instant.ts'
import { type Role, roles } from '../settings/roles.ts'
import { keepChecking } from '../store/connection/keep-checking.ts'
import { openClient } from '../store/connection/open-client.ts'
import { fromMs } from '../store/coverage/multirange.ts'
import { databaseOf } from '../store/transaction.ts'
import type { Log } from './log.ts'

type QueueKind = 'redis' | 'postgres'

/** Each process of a role holds a lock on this table. */
const tableOf = (role: Role): string => `public.${role}_presence`

/** Compatible modes that only the table's owner may take, so that no other login can pose as a worker. */
const lockModes: Readonly<Record<QueueKind, Readonly<{ sql: string; name: string }>>> = {
  redis: { sql: 'row share', name: 'RowShareLock' },
  postgres: { sql: 'row exclusive', name: 'RowExclusiveLock' },
}

const betweenTriesMs = 5 * second

export async function announceRoles(
  url: string,
  announced: readonly Role[],
  queueKind: QueueKind,
  log: Log,
): Promise<{ release(): Promise<void> }> {
  const stop = new AbortController()
  let client = await announce(url, announced, queueKind)
  const watch = () => {
    client.once('end', () => {
      if (!stop.signal.aborted) void again()
    })
  }
  const again = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        client = await announce(url, announced, queueKind)
        if (stop.signal.aborted) return await client.end()
        return watch()
      } catch (error) {
        log.warn('presence.lost', { reason: error instanceof Error ? error.message : String(error) })
        await wait(betweenTriesMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined)
      }
    }
  }
  watch()
  return {
    release: async () => {
      stop.abort()
      await client.end()
    },
  }
}

async function announce(url: string, announced: readonly Role[], queueKind: QueueKind): Promise<Client> {
  // Errors also end it; `end` is handled.
  const client = await openClient(url, {
    applicationName: 'beacon presence',
    connectionTimeoutMs: 10 * second,
    queryTimeoutMs: 10 * second,
  })
  try {
    // A never-ending transaction, as behind a pooler a session's lock would stay with another client. Without snapshot
    // or id, so vacuum is not blocked.
    await client.query(`
      begin;
      set local idle_in_transaction_session_timeout = 0;
      ${announced.map((role) => `lock table ${tableOf(role)} in ${lockModes[queueKind].sql} mode`).join('; ')}`)
    keepChecking(client)
    return client
  } catch (error) {
    await client.end()
    throw error
  }
}

export async function presentRoles(pool: Pool, queueKind: QueueKind): Promise<ReadonlySet<Role>> {
  const tables = sql.join(
    roles.map((role) => sql`(${role}, ${tableOf(role)}::regclass::oid)`),
    sql`, `,
  )
  const { rows } = await databaseOf(pool).execute<{ role: Role }>(sql`
    select distinct role from (values ${tables}) as known (role, relation) join pg_locks using (relation)
    where locktype = 'relation' and granted and mode = ${lockModes[queueKind].name}
      and database = (select oid from pg_database where datname = current_database())`)
  return new Set(rows.map(({ role }) => role))
}

/** The roles that any process has, on whichever queues; none where the tables of a role are not there yet. */
export async function rolesInUse(url: string): Promise<Role[]> {
  const client = await openClient(url, {
    applicationName: 'beacon command',
    connectionTimeoutMs: 10 * second,
  })
  try {
    const { rows } = await client.query<{ role: Role }>(
      `select distinct role from unnest($1::text[], $2::text[]) as known (role, name)
       join pg_locks on relation = to_regclass(name)
       where locktype = 'relation' and granted and mode = any ($3)
         and database = (select oid from pg_database where datname = current_database())
       order by role`,
      [roles, roles.map(tableOf), Object.values(lockModes).map(({ name }) => name)],
    )
    return rows.map(({ role }) => role)
  } finally {
    await client.end()
  }
}

/**
 * Since when some process of the fleet has worked on the queues of that kind without a break; undefined where none does, or
 * where the login may not know.
 */
export async function workersSince(pool: Pool, queueKind: QueueKind): Promise<Instant | undefined> {
  const { rows } = await databaseOf(pool).execute<{ since_ms: string | null }>(sql`
    select extract(epoch from min(xact_start)) * 1000 as since_ms
    from pg_locks join pg_stat_activity using (pid)
    where locktype = 'relation' and granted and mode = ${lockModes[queueKind].name}
      and relation = ${tableOf('worker')}::regclass::oid
      and database = (select oid from pg_database where datname = current_database())`)
  const since = rows[0]?.since_ms
  return since === null || since === undefined ? undefined : fromMs(since)
}

export const hasWorkers = async (pool: Pool, queueKind: QueueKind): Promise<boolean> =>
  (await presentRoles(pool, queueKind)).has('worker')
