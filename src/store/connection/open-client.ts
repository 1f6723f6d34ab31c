import type { Client } from 'pg'
import { DatabaseServers } from './database-servers.ts'
import { PrimaryClient } from './primary-client.ts'

export type ClientOptions = Readonly<{
  /** What the server's list of sessions shows. */
  applicationName: string
  connectionTimeoutMs: number
  /** Without it a connection that died silently is waited on for ever. */
  queryTimeoutMs?: number
  /** Settings of the session: `-c name=value`. */
  options?: string
}>

/** Opens one connection to the server of the URL that takes writes. The caller ends it. */
export async function openClient(url: string, options: ClientOptions): Promise<Client> {
  const client = new PrimaryClient(new DatabaseServers(url), {
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectionTimeoutMs,
    keepAlive: true,
    ...(options.queryTimeoutMs === undefined ? {} : { query_timeout: options.queryTimeoutMs }),
    ...(options.options === undefined ? {} : { options: options.options }),
  })
  // The query under way rejects with it as well; without a listener a lost connection would end the process.
  client.on('error', () => undefined)
  await client.connect()
  return client
}
