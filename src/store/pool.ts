import { Pool, type PoolConfig } from 'pg'
import type { Settings } from '../settings.ts'

/** UTC is the only zone: `timestamp` columns hold it by rule, and no client's zone may shift them. */
export const sessionOptions = '-c TimeZone=UTC -c DateStyle=ISO'

export type PoolSizes = Settings['database']

/** Opens the pool that everything but the queue uses. It connects when first asked. */
export function openPool(url: string, sizes: PoolSizes, onIdleError: (error: Error) => void): Pool {
  const config: PoolConfig = {
    connectionString: url,
    application_name: 'beacon',
    min: sizes.minConnections,
    max: sizes.maxConnections,
    connectionTimeoutMillis: sizes.connectionTimeout,
    idleTimeoutMillis: sizes.idleTimeout,
    keepAlive: true,
    options: sessionOptions,
  }
  const pool = new Pool(config)
  // A connection that dies while idle is replaced at the next use; unheard, its event would end the process.
  pool.on('error', onIdleError)
  return pool
}
