import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'
import { instant } from './instant-column.ts'

export type DatabaseSample = typeof databaseSamples.$inferSelect
export type Incident = typeof incidents.$inferSelect
export type WebhookDelivery = typeof webhookDeliveries.$inferSelect

/** Running totals of the server since its statistics were last reset. */
export type Counters = Readonly<{
  activeMs: number
  transactions: number
  blocksHit: number
  blocksRead: number
  indexScans: number
  tableScans: number
  /** The tables with the most rows read by sequential scans: their scans, index scans, and rows read sequentially. */
  tables?: Readonly<Record<string, readonly [tableScans: number, indexScans: number, rowsRead: number]>>
}>

/** Figures of the database, one row per minute. Ratios and the average are those of the minute before. */
export const databaseSamples = pgTable('database_samples', {
  sampledAt: instant('sampled_at').primaryKey(),
  averageQueryMs: doublePrecision('average_query_ms'),
  pingMs: doublePrecision('ping_ms').notNull(),
  cacheHitRatio: doublePrecision('cache_hit_ratio'),
  indexScanRatio: doublePrecision('index_scan_ratio'),
  connectionsActive: integer('connections_active').notNull(),
  connectionsIdle: integer('connections_idle').notNull(),
  connectionsWaiting: integer('connections_waiting').notNull(),
  connectionsMax: integer('connections_max').notNull(),
  databaseBytes: bigint('database_bytes', { mode: 'number' }).notNull(),
  diskFreeBytes: bigint('disk_free_bytes', { mode: 'number' }),
  counters: jsonb().$type<Counters>().notNull(),
})

/** What the failed runs of an alert have in common. */
export type AlertDetails = Readonly<{
  cause: string
  /** Each job with its subject: `ingest-candles binance 1m`. */
  jobs: readonly string[]
  firstAt: string
  lastAt: string
  failures: number
}>

/** Alerts. At most one is open per key. */
export const incidents = pgTable(
  'incidents',
  {
    id: uuid().primaryKey().defaultRandom(),
    key: varchar({ length: 200 }).notNull(),
    message: text().notNull(),
    openedAt: instant('opened_at').notNull(),
    resolvedAt: instant('resolved_at'),
    seenAt: instant('seen_at'),
    details: jsonb().$type<AlertDetails>(),
  },
  (table) => [
    uniqueIndex('incidents_open_key').on(table.key).where(sql`resolved_at is null`),
    index('idx_incidents_opened_at').on(table.openedAt),
    check('incidents_check', sql`resolved_at >= opened_at`),
  ],
)

/** Notifications of incidents that the webhook has not received yet. */
export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    id: uuid().primaryKey().defaultRandom(),
    incidentId: uuid('incident_id')
      .notNull()
      .references(() => incidents.id, { onDelete: 'cascade' }),
    event: varchar({ length: 20, enum: ['opened', 'resolved'] }).notNull(),
    attempts: integer().notNull().default(0),
    dueAt: instant('due_at').notNull(),
    deliveredAt: instant('delivered_at'),
    error: text(),
  },
  (table) => [
    unique('webhook_deliveries_incident_id_event_key').on(table.incidentId, table.event),
    index('idx_webhook_deliveries_due').on(table.dueAt).where(sql`delivered_at is null`),
    check('webhook_deliveries_event_check', sql`event in ('opened', 'resolved')`),
  ],
)
