import { sql } from 'drizzle-orm'
import { bigint, char, index, integer, jsonb, pgTable, text, uuid, varchar } from 'drizzle-orm/pg-core'
import { instant } from './instant-column.ts'

export type ViewRefresh = typeof viewRefreshes.$inferSelect
export type ViewDefinition = typeof viewDefinitions.$inferSelect

/** One row for each time a materialized view was refreshed; `incomplete` has the candles that were missing, by coin. */
export const viewRefreshes = pgTable(
  'view_refreshes',
  {
    id: uuid().primaryKey().defaultRandom(),
    view: varchar({ length: 63 }).notNull(),
    refreshedAt: instant('refreshed_at').notNull(),
    durationMs: integer('duration_ms').notNull(),
    rows: bigint({ mode: 'number' }).notNull(),
    coversTo: instant('covers_to').notNull(),
    fingerprint: text().notNull(),
    incomplete: jsonb().$type<Record<string, number>>().notNull().default(sql`'{}'`),
    runId: uuid('run_id'),
  },
  (table) => [index('idx_view_refreshes_view').on(table.view, table.refreshedAt)],
)

/** Materialized views that were made from a file of drizzle/views, and the hash of its text. */
export const viewDefinitions = pgTable('view_definitions', {
  view: varchar({ length: 63 }).primaryKey(),
  sha256: char({ length: 64 }).notNull(),
  madeAt: instant('made_at').notNull(),
})
