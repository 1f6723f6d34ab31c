import type { Client } from 'pg'
import { second } from '../../market/instant.ts'
import { socketOf } from './server-pool.ts'

const everyMs = 10 * second

/**
 * Cuts a connection that is kept for the sake of its session once its server does not answer, or takes no writes any more:
 * no other query would find out.
 */
export function keepChecking(client: Client): void {
  const check = async (): Promise<void> => {
    try {
      const { rows } = await client.query<{ taken: boolean }>(
        `select not (pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean) as taken`,
      )
      if (rows[0]?.taken !== true) socketOf(client).destroy()
    } catch {
      // The cut ends the connection, and its end is what the owner waits for.
      socketOf(client).destroy()
    }
  }
  const timer = setInterval(check, everyMs)
  timer.unref()
  client.once('end', () => clearInterval(timer))
}
