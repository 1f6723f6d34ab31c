import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  index,
  jsonb,
  pgTable,
  text,
  unique,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'
import { instant } from './instant-column.ts'
import { tsmultirange } from './multirange-column.ts'

export type ArchiveRow = typeof archives.$inferSelect

/** One row per file of the archive, written before the file. */
export const archives = pgTable(
  'archives',
  {
    id: uuid().primaryKey(),
    tableName: varchar('table_name', { length: 63 }).notNull(),
    partitionName: varchar('partition_name', { length: 63 }),
    rangeFrom: instant('range_from').notNull(),
    rangeTo: instant('range_to').notNull(),
    state: varchar({
      length: 20,
      enum: ['writing', 'written', 'verified', 'dropped', 'restored', 'discarded'],
    }).notNull(),
    place: text().notNull(),
    fileName: varchar('file_name', { length: 255 }).notNull(),
    rowCount: bigint('row_count', { mode: 'number' }),
    bytes: bigint({ mode: 'number' }),
    sha256: varchar({ length: 64 }),
    columns: jsonb().notNull(),
    checksums: jsonb(),
    coverage: jsonb(),
    createdAt: instant('created_at').notNull(),
    verifiedAt: instant('verified_at'),
    droppedAt: instant('dropped_at'),
    restoredAt: instant('restored_at'),
    restoredUntil: instant('restored_until'),
    sequence: bigint({ mode: 'number' }).notNull().generatedByDefaultAsIdentity(),
    restoredRanges: tsmultirange('restored_ranges').notNull().default(sql`'{}'`),
    counted: boolean().notNull().default(false),
    supersededRanges: tsmultirange('superseded_ranges').notNull().default(sql`'{}'`),
  },
  (table) => [
    unique('archives_file_name_key').on(table.fileName),
    check('archives_range_check', sql`range_from < range_to`),
    check(
      'archives_state_known',
      sql`state in ('writing', 'written', 'verified', 'dropped', 'restored', 'discarded')`,
    ),
    check(
      'archives_written_check',
      sql`state in ('writing', 'discarded') or (row_count is not null and bytes is not null and sha256 is not null and checksums is not null)`,
    ),
    check(
      'archives_verified_check',
      sql`state not in ('verified', 'dropped', 'restored') or verified_at is not null`,
    ),
    index('idx_archives_range').on(table.tableName, table.rangeFrom),
  ],
)
