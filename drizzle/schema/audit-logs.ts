import { sql } from 'drizzle-orm'
import { check, index, jsonb, pgTable, uuid, varchar } from 'drizzle-orm/pg-core'
import { instant } from './instant-column.ts'

export type AuditLog = typeof auditLogs.$inferSelect

/** Operations on rows of users. */
const writes = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] as const

/** Operations of maintenance; `newData` then has `actor` and `entity`. */
export const maintenanceOperations = [
  'CREATE',
  'ARCHIVE',
  'DROP',
  'RESTORE',
  'PURGE',
  'REPLACE',
  'REMOVE',
  'REPAIR',
  'DISCARD',
  'TRACK',
  'UNTRACK',
] as const

const listed = (operations: readonly string[]) => operations.map((name) => `'${name}'`).join(', ')

/** Every write to a table of users, recorded by triggers, and the operations of maintenance. */
export const auditLogs = pgTable(
  'audit_logs',
  {
    id: uuid().primaryKey(),
    tableName: varchar('table_name', { length: 100 }).notNull(),
    operation: varchar({ length: 10, enum: [...writes, ...maintenanceOperations] }).notNull(),
    userId: uuid('user_id'),
    recordId: uuid('record_id'),
    oldData: jsonb('old_data'),
    newData: jsonb('new_data'),
    timestamp: instant().notNull().default(sql`now()`),
  },
  (table) => [
    index('idx_audit_logs_user_time').on(table.userId, table.timestamp),
    index('idx_audit_logs_record').on(table.tableName, table.recordId),
    index('idx_audit_logs_timestamp').on(table.timestamp),
    check(
      'audit_logs_operation_known',
      sql.raw(
        `operation in (${listed(writes)}) or (operation in (${listed(maintenanceOperations)}) and user_id is null and record_id is null and old_data is null and new_data ->> 'actor' is not null and new_data ->> 'entity' is not null)`,
      ),
    ),
  ],
)
