import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import { isOwnSession } from '../connection/own-sessions.ts'
import { fromMs } from '../coverage/multirange.ts'
import type { Database } from '../transaction.ts'

/** A session of another program, or a prepared transaction, that blocks ours. */
export type BlockingSession = Readonly<{
  pid: number
  user: string
  application: string
  /** Its last query; null without the right to see it. */
  query: string | null
  /** Start of its transaction; null without the right to see it. */
  since: Instant | null
  /** Number of our sessions that wait, and the longest wait. */
  waiting: number
  waitedMs: number
  /** The statement that ends it. */
  remedy: string
}>

/** Shorter waits are mostly concurrent writers of the same rows. */
const enoughMs = 10_000
const mostQueryLength = 200

/**
 * Sessions at the head of a lock queue in which ours wait. Advisory locks are left out: our own processes take them in
 * turn.
 */
export async function readBlockingSessions(db: Database, waitedMs = enoughMs): Promise<BlockingSession[]> {
  const { rows } = await db.execute<BlockingRow>(sql`
    with recursive waiting as (
      select pid, clock_timestamp() - query_start as waited
      from pg_stat_activity
      where datname = current_database() and ${isOwnSession}
        and wait_event_type = 'Lock' and wait_event <> 'advisory'
        and clock_timestamp() - query_start >= make_interval(secs => ${waitedMs / 1_000})
    ), line as (
      select pid as waiter, waited, unnest(pg_blocking_pids(pid)) as blocker, 1 as depth from waiting
      union
      select waiter, waited, unnest(pg_blocking_pids(blocker)), depth + 1 from line where depth < 20 and blocker <> 0
    )
    select blocker as pid, count(distinct waiter)::integer as waiting, max(extract(epoch from waited) * 1000) as waited_ms,
      usename as "user", application_name as application, nullif(query, '<insufficient privilege>') as query,
      extract(epoch from coalesce(xact_start, query_start)) * 1000 as since_ms,
      case when blocker = 0 then (select gid from pg_prepared_xacts where database = current_database() order by prepared limit 1) end as gid
    from line left join pg_stat_activity on pg_stat_activity.pid = blocker
    where case when blocker = 0 then true else cardinality(pg_blocking_pids(blocker)) = 0 end
      and ${isOwnSession} is not true
    group by blocker, usename, application_name, query, xact_start, query_start
    order by 3 desc`)
  return rows.map(describe)
}

type BlockingRow = Readonly<{
  pid: number
  waiting: number
  waited_ms: string
  user: string | null
  application: string | null
  query: string | null
  since_ms: string | null
  gid: string | null
}>

function describe({ pid, waiting, waited_ms, since_ms, gid, ...row }: BlockingRow): BlockingSession {
  const query = row.query?.replaceAll(/\s+/g, ' ').trim().slice(0, mostQueryLength)
  return {
    pid,
    waiting,
    waitedMs: Math.round(Number(waited_ms)),
    user: row.user ?? 'unknown',
    application: row.application ?? '',
    query: query ?? null,
    since: since_ms === null ? null : fromMs(since_ms),
    remedy:
      gid === null
        ? `select pg_terminate_backend(${pid})`
        : `rollback prepared '${gid.replaceAll("'", "''")}'`,
  }
}

/** Names the session and the statement that ends it. */
export function blockingMessage(session: BlockingSession): string {
  const { pid, user, application, query, since, waiting, waitedMs, remedy } = session
  const who =
    pid === 0
      ? 'A prepared transaction'
      : `Session ${pid} of ${user}${application === '' ? '' : ` (${application})`}`
  const blocked = waiting === 1 ? 'a session of beacon' : `${waiting} sessions of beacon`
  const transaction = since === null ? '' : `, in a transaction since ${toIso(since)}`
  const last = query === null ? '' : `; its last statement: ${query}`
  const seconds = Math.floor(waitedMs / 1_000)
  return `${who} blocks ${blocked}. End it with: ${remedy}. It has done so for ${seconds} s${transaction}${last}`
}
