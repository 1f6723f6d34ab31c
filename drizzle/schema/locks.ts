import { pgTable, varchar } from 'drizzle-orm/pg-core'

/** Named locks: a transaction that holds the row FOR UPDATE has the lock. */
export const locks = pgTable('locks', { name: varchar({ length: 300 }).primaryKey() })

/** Always empty: each process of a role holds a table lock on it while it lives. */
const presenceTable = <Name extends string>(name: Name) =>
  pgTable(name, { queueEngine: varchar('queue_engine', { length: 20 }).primaryKey() })

export const workerPresence = presenceTable('worker_presence')
export const schedulerPresence = presenceTable('scheduler_presence')
export const webPresence = presenceTable('web_presence')
