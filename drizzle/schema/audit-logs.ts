import { sql } from 'drizzle-orm'
import { check, index, jsonb, pgTable, uuid, varchar } from 'drizzle-orm/pg-core'
import { instant } from './instant-column.ts'

export type AuditLog = typeof auditLogs.$inferSelect

/** Every write to a table of users, made by the database itself; only ever added to. */
export const auditLogs = pgTable(
  'audit_logs',
  {
    id: uuid().primaryKey(),
    tableName: varchar('table_name', { length: 100 }).notNull(),
    operation: varchar({ length: 10, enum: ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] }).notNull(),
    userId: uuid('user_id'),
    recordId: uuid('record_id'),
    oldData: jsonb('old_data'),
    newData: jsonb('new_data'),
    timestamp: instant().notNull().default(sql`now()`),
  },
  (table) => [
    index('idx_audit_logs_user_time').on(table.userId, table.timestamp),
    index('idx_audit_logs_record').on(table.tableName, table.recordId),
    check('audit_logs_operation_known', sql`operation in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')`),
  ],
)
