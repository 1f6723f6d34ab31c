import { Client, type Pool } from 'pg'
import { sessionOptions } from '../store/pool.ts'
import type { Log } from './log.ts'

/** Names the advisory lock that every process with workers holds, shared, for as long as it lives. */
const presenceKey = `hashtextextended('beacon:workers', 0)`

/** Shows other processes that somebody works on the queues. It ends with the process, however that ends. */
export async function announceWorkers(url: string, log: Log): Promise<{ release(): Promise<void> }> {
  const client = new Client({
    connectionString: url,
    application_name: 'beacon presence',
    keepAlive: true,
    options: sessionOptions,
  })
  client.on('error', (error) => log.warn('presence.lost', { reason: error.message }))
  await client.connect()
  await client.query(`select pg_advisory_lock_shared(${presenceKey})`)
  return { release: () => client.end() }
}

/** Whether any process of the fleet works on the queues. */
export async function hasWorkers(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ present: boolean }>(`
    select exists (
      select from pg_locks
      where locktype = 'advisory' and mode = 'ShareLock' and granted and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32) + objid::bigint = ${presenceKey} and objsubid = 1
    ) as present`)
  return rows[0]?.present === true
}
