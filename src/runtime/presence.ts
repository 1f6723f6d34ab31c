import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { Client, type Pool } from 'pg'
import { second } from '../market/instant.ts'
import { databaseOf } from '../store/transaction.ts'
import type { Log } from './log.ts'

type QueueKind = 'redis' | 'postgres'

/**
 * The lock that a process with workers holds on the table worker_presence. The two wait neither for themselves nor for
 * each other, and need a right that only the owner of the table has: no other login can pretend to be a worker.
 */
const lockModes: Readonly<Record<QueueKind, Readonly<{ sql: string; name: string }>>> = {
  redis: { sql: 'row share', name: 'RowShareLock' },
  postgres: { sql: 'row exclusive', name: 'RowExclusiveLock' },
}

const betweenTriesMs = 5 * second

/**
 * Shows other processes that somebody works on the queues. It ends with the process, however that ends; should only
 * its connection end, it is made again.
 */
export async function announceWorkers(
  url: string,
  queueKind: QueueKind,
  log: Log,
): Promise<{ release(): Promise<void> }> {
  const stop = new AbortController()
  let client = await announce(url, queueKind)
  const watch = () => {
    client.once('end', () => {
      if (!stop.signal.aborted) void again()
    })
  }
  const again = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        client = await announce(url, queueKind)
        // Released while it was being made: nobody else would end it.
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

async function announce(url: string, queueKind: QueueKind): Promise<Client> {
  const client = new Client({
    connectionString: url,
    application_name: 'beacon presence',
    connectionTimeoutMillis: 10 * second,
    keepAlive: true,
  })
  // A connection that breaks also ends, and its end is what is listened to.
  client.on('error', () => undefined)
  try {
    await client.connect()
    // A transaction that never ends: behind a pooler a session's own lock would stay with another's connection. It has
    // neither a snapshot nor an id, so that vacuum does not wait for it.
    await client.query(`
      begin;
      set local idle_in_transaction_session_timeout = 0;
      lock table public.worker_presence in ${lockModes[queueKind].sql} mode`)
    return client
  } catch (error) {
    await client.end()
    throw error
  }
}

/** Whether any process of the fleet works on the queues of that kind. */
export async function hasWorkers(pool: Pool, queueKind: QueueKind): Promise<boolean> {
  const { rows } = await databaseOf(pool).execute<{ present: boolean }>(sql`
    select exists (
      select from pg_locks
      where locktype = 'relation' and granted and mode = ${lockModes[queueKind].name}
        and relation = 'public.worker_presence'::regclass
        and database = (select oid from pg_database where datname = current_database())
    ) as present`)
  return rows[0]?.present === true
}
