import type { ClientBase, PoolClient } from 'pg'
import { durationText } from '../settings/duration.ts'
import type { Settings } from '../settings.ts'
import { isGivenUp, ServerPool, socketOf } from './connection/server-pool.ts'

export type PoolSettings = Settings['database']

/** What a transaction is for. It decides how long one statement of it may take: `database.statementTimeout`. */
export type Purpose = keyof PoolSettings['statementTimeout']

/**
 * Opens the pool that everything but the queue uses. It connects when first asked. `onIdleError` hears of a connection
 * that died while idle, which is replaced at the next use; `applicationName` is what the server's list of sessions
 * shows.
 */
export function openPool(
  url: string,
  settings: PoolSettings,
  onIdleError: (error: Error) => void,
  applicationName = 'beacon',
): BoundedPool {
  const pool = new BoundedPool(url, settings, applicationName)
  // Unheard, the event would end the process.
  pool.on('error', (error) => {
    if (!isGivenUp(error)) onIdleError(error)
  })
  return pool
}

/** A pool whose transactions are bounded as its settings say, and of which no connection is waited on for ever. */
export class BoundedPool extends ServerPool {
  readonly settings: PoolSettings

  constructor(url: string, settings: PoolSettings, applicationName: string) {
    super(url, {
      application_name: applicationName,
      min: settings.minConnections,
      max: settings.maxConnections,
      connectionTimeoutMillis: settings.connectionTimeout,
      idleTimeoutMillis: settings.idleTimeout,
      keepAlive: true,
      keepAliveInitialDelayMillis: settings.connectionTimeout,
      onConnect: (client) => speakUtc(client, settings.connectionTimeout),
    })
    this.settings = settings
    this.on('connect', (client) => this.#watch(client))
    this.on('release', (_error, client) => {
      limitSilence(client, this.ending ? settings.connectionTimeout : 0)
    })
  }

  /**
   * Ends the pool. A connection whose other side says nothing more for the connection timeout is cut: it would keep the
   * process alive.
   */
  override async close(): Promise<void> {
    for (const socket of this.sockets) socket.setTimeout(this.settings.connectionTimeout)
    await this.end()
  }

  #watch(client: PoolClient): void {
    const socket = socketOf(client)
    socket.once('timeout', () => {
      const silence = durationText(socket.timeout ?? 0)
      socket.destroy(Object.assign(new Error(`nothing came over it for ${silence}`), { code: 'ETIMEDOUT' }))
    })
  }
}

/**
 * UTC is the only zone: `timestamp` columns hold it by rule, and no client's, role's or database's zone may shift them.
 * A pooler such as PgBouncer refuses `options` at the start of a session, but follows these two settings.
 */
async function speakUtc(client: ClientBase, limitMs: number): Promise<void> {
  // The pool's own limit ended with the connection, and behind a pooler a server may still have to be found.
  const query = { text: `set timezone = 'UTC'; set datestyle = 'ISO'`, query_timeout: limitMs }
  await client.query(query)
}

/**
 * Gives the connection up once nothing has passed over it for so long, in either direction; 0 for never. The server's
 * own limits cannot tell of a connection that died silently: nothing arrives over it any more.
 */
export function limitSilence(client: PoolClient, limitMs: number): void {
  socketOf(client).setTimeout(limitMs)
}
