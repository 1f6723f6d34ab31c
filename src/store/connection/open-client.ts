import type { Client } from 'pg'
import { DatabaseServers } from './database-servers.ts'
import { PrimaryClient } from './primary-client.ts'

export type ClientOptions = Readonly<{
  /** application_name in pg_stat_activity. */
  applicationName: string
  connectionTimeoutMs: number
  /** Without it a dead connection waits forever. */
  queryTimeoutMs?: number
  /** Session settings: `-c name=value`. */
  options?: string
}>

/** Opens a connection to the primary. The caller ends it. */
export async function openClient(url: string, options: ClientOptions): Promise<Client> {
  const client = new PrimaryClient(new DatabaseServers(url), {
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectionTimeoutMs,
    keepAlive: true,
    ...(options.queryTimeoutMs === undefined ? {} : { query_timeout: options.queryTimeoutMs }),
    ...(options.options === undefined ? {} : { options: options.options }),
  })
  // A running query rejects as well; without a listener the process would exit.
  client.on('error', () => undefined)
  await client.connect()
  return client
}
