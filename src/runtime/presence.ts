import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { Client, Pool } from 'pg'
import { second } from '../market/instant.ts'
import { keepChecking } from '../store/connection/keep-checking.ts'
import { openClient } from '../store/connection/open-client.ts'
import { databaseOf } from '../store/transaction.ts'
import type { Log } from './log.ts'

/** Names the advisory lock that every process with workers on a kind of queue holds, shared, for as long as it lives. */
const keyOf = (queueKind: QueueKind): string => `hashtextextended('beacon:workers:${queueKind}', 0)`

type QueueKind = 'redis' | 'postgres'

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
  // A connection that breaks also ends, and its end is what is listened to.
  const client = await openClient(url, {
    applicationName: 'beacon presence',
    connectionTimeoutMs: 10 * second,
    queryTimeoutMs: 10 * second,
  })
  try {
    // A transaction that never ends: behind a pooler a session's own lock would stay with another's connection. It has
    // neither a snapshot nor an id, so that vacuum does not wait for it.
    await client.query(`
      begin;
      set local idle_in_transaction_session_timeout = 0;
      select pg_advisory_xact_lock_shared(${keyOf(queueKind)})`)
    keepChecking(client)
    return client
  } catch (error) {
    await client.end()
    throw error
  }
}

/** Whether any process of the fleet works on the queues of that kind. */
export async function hasWorkers(pool: Pool, queueKind: QueueKind): Promise<boolean> {
  const { rows } = await databaseOf(pool).execute<{ present: boolean }>(
    sql.raw(`
    select exists (
      select from pg_locks
      where locktype = 'advisory' and mode = 'ShareLock' and granted and objsubid = 1
        and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32) + objid::bigint = ${keyOf(queueKind)}
    ) as present`),
  )
  return rows[0]?.present === true
}
