import type { Client } from 'pg'
import { second } from '../../market/instant.ts'
import { socketOf } from './server-pool.ts'

const everyMs = 10 * second

/**
 * Destroys a session-bound connection once its server stops answering or becomes read-only; no other query would
 * notice.
 */
export function keepChecking(client: Client): void {
  const check = async (): Promise<void> => {
    try {
      const { rows } = await client.query<{ taken: boolean }>(
        `select not (pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean) as taken`,
      )
      if (rows[0]?.taken !== true) socketOf(client).destroy()
    } catch {
      // The owner waits for the connection's end.
      socketOf(client).destroy()
    }
  }
  const timer = setInterval(check, everyMs)
  timer.unref()
  client.once('end', () => clearInterval(timer))
}
