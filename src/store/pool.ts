import type { ClientBase, PoolClient } from 'pg'
import { durationText } from '../settings/duration.ts'
import type { Settings } from '../settings.ts'
import { isGivenUp, ServerPool, socketOf } from './connection/server-pool.ts'

export type PoolSettings = Settings['database']

/** Selects the limit in `database.statementTimeout`. */
export type Purpose = keyof PoolSettings['statementTimeout']

/**
 * Opens the pool for everything but the queue; connects lazily. `onIdleError` receives errors of idle connections,
 * which are replaced.
 */
export function openPool(
  url: string,
  settings: PoolSettings,
  onIdleError: (error: Error) => void,
  applicationName = 'beacon',
): BoundedPool {
  const pool = new BoundedPool(url, settings, applicationName)
  // An error event without a listener would end the process.
  pool.on('error', (error) => {
    if (!isGivenUp(error)) onIdleError(error)
  })
  return pool
}

/** A pool whose transactions and connections have timeouts. */
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

  /** Ends the pool; destroys silent connections after the connection timeout, as they would keep the process alive. */
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
 * `timestamp` columns hold UTC, whatever zone a client, role or database sets. Poolers such as PgBouncer reject startup
 * `options` but track these two settings.
 */
async function speakUtc(client: ClientBase, limitMs: number): Promise<void> {
  // The pool's own timeout ends at connection; behind a pooler the server may still be searched.
  const query = { text: `set timezone = 'UTC'; set datestyle = 'ISO'`, query_timeout: limitMs }
  await client.query(query)
}

/**
 * Destroys a connection silent for this long in both directions; 0 disables. Server timeouts cannot detect a dead
 * connection.
 */
export function limitSilence(client: PoolClient, limitMs: number): void {
  socketOf(client).setTimeout(limitMs)
}
