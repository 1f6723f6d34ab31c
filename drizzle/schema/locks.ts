import { pgTable, varchar } from 'drizzle-orm/pg-core'

/** Named locks: a transaction that holds the row FOR UPDATE has the lock. */
export const locks = pgTable('locks', { name: varchar({ length: 300 }).primaryKey() })

/** Always empty: processes with workers hold a table lock on it while they live. */
export const workerPresence = pgTable('worker_presence', {
  queueEngine: varchar('queue_engine', { length: 20 }).primaryKey(),
})
