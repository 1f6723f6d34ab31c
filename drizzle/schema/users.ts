import { sql } from 'drizzle-orm'
import { check, jsonb, pgTable, unique, uuid, varchar } from 'drizzle-orm/pg-core'
import { instant, timesCheck } from './instant-column.ts'

export type User = typeof users.$inferSelect
export type NewUser = typeof users.$inferInsert
export type Profile = typeof profiles.$inferSelect
export type NewProfile = typeof profiles.$inferInsert

/** `email` is encrypted deterministically, for lookups; `password` is a hash. */
export const users = pgTable(
  'users',
  {
    id: uuid().primaryKey().defaultRandom(),
    email: varchar({ length: 255 }).notNull(),
    password: varchar({ length: 255 }).notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    lastLogin: instant('last_login'),
    status: varchar({ length: 50, enum: ['active', 'suspended'] })
      .notNull()
      .default(sql`'active'`),
    tier: varchar({ length: 50 }).notNull().default(sql`'free'`),
  },
  (table) => [
    unique('idx_users_email').on(table.email),
    check('users_status_known', sql`status in ('active', 'suspended')`),
    timesCheck('users', 'created_at', 'updated_at', 'last_login'),
  ],
)

/** At most one per user. `displayName` and `avatarUrl` are encrypted. */
export const profiles = pgTable(
  'profiles',
  {
    id: uuid()
      .primaryKey()
      .references(() => users.id, { onDelete: 'cascade' }),
    displayName: varchar('display_name', { length: 255 }),
    avatarUrl: varchar('avatar_url', { length: 255 }),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    preferences: jsonb(),
  },
  () => [timesCheck('profiles', 'created_at', 'updated_at')],
)
