import { sql } from 'drizzle-orm'
import { boolean, check, index, jsonb, pgTable, text, uuid, varchar } from 'drizzle-orm/pg-core'
import { instant, timesCheck } from './instant-column.ts'
import { users } from './users.ts'

export type Alert = typeof alerts.$inferSelect
export type NewAlert = typeof alerts.$inferInsert
export type Notification = typeof notifications.$inferSelect
export type NewNotification = typeof notifications.$inferInsert

/** Alerts that users have set. */
export const alerts = pgTable(
  'alerts',
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    type: varchar({ length: 50 }).notNull(),
    coinId: varchar('coin_id', { length: 50 }).notNull(),
    coinSymbol: varchar('coin_symbol', { length: 20 }).notNull(),
    condition: jsonb().notNull(),
    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at'),
    triggeredAt: instant('triggered_at'),
    status: varchar({
      length: 20,
      enum: ['active', 'triggered', 'paused', 'expired', 'cancelled'],
    }).notNull(),
    notificationChannels: varchar('notification_channels').array(),
    recurring: boolean(),
    note: text(),
  },
  (table) => [
    index('idx_alerts_user_status').on(table.userId, table.status),
    timesCheck('alerts', 'created_at', 'expires_at', 'triggered_at'),
    check('alerts_status_known', sql`status in ('active', 'triggered', 'paused', 'expired', 'cancelled')`),
  ],
)

/** Messages to users. `sourceId` is the id of a row in the table `sourceType`. */
export const notifications = pgTable(
  'notifications',
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    type: varchar({ length: 50 }).notNull(),
    title: varchar({ length: 255 }).notNull(),
    message: text().notNull(),
    createdAt: instant('created_at').notNull(),
    readAt: instant('read_at'),
    sourceId: uuid('source_id'),
    sourceType: varchar('source_type', { length: 50 }),
    priority: varchar({ length: 20 }).notNull(),
  },
  (table) => [
    index('idx_notifications_user_time').on(table.userId, table.createdAt),
    timesCheck('notifications', 'created_at', 'read_at'),
  ],
)
