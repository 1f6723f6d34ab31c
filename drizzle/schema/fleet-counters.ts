import { doublePrecision, jsonb, pgTable, primaryKey, varchar } from 'drizzle-orm/pg-core'
import { instant } from './instant-column.ts'

export type FleetCounter = typeof fleetCounters.$inferSelect

/** Totals of all processes, by name and labels. */
export const fleetCounters = pgTable(
  'fleet_counters',
  {
    name: varchar({ length: 100 }).notNull(),
    labels: jsonb().$type<Readonly<Record<string, string>>>().notNull(),
    value: doublePrecision().notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.name, table.labels] })],
)
