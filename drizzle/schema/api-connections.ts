import { index, pgTable, uuid, varchar } from 'drizzle-orm/pg-core'
import { instant, timesCheck } from './instant-column.ts'
import { users } from './users.ts'

export type ApiConnection = typeof apiConnections.$inferSelect
export type NewApiConnection = typeof apiConnections.$inferInsert

/** A user's access to an exchange; `apiKey`, `apiSecret` and `passphrase` are encrypted. */
export const apiConnections = pgTable(
  'api_connections',
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    provider: varchar({ length: 50 }).notNull(),
    name: varchar({ length: 100 }).notNull(),
    apiKey: varchar('api_key', { length: 255 }).notNull(),
    apiSecret: varchar('api_secret', { length: 255 }),
    passphrase: varchar({ length: 255 }),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    permissions: varchar().array(),
    status: varchar({ length: 20 }).notNull(),
  },
  (table) => [
    index('idx_api_connections_user').on(table.userId),
    timesCheck('api_connections', 'created_at', 'updated_at'),
  ],
)
