import {
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'
import { instant } from './instant-column.ts'
import { coins } from './market-data.ts'

export type Instrument = typeof instruments.$inferSelect
export type CandleCoverage = typeof candleCoverage.$inferSelect
export type IngestRun = typeof ingestRuns.$inferSelect

/** Ranges of open times as PostgreSQL writes them: `{["2024-03-01 00:00:00","2024-03-02 00:00:00")}`. */
const tsmultirange = customType<{ data: string }>({ dataType: () => 'tsmultirange' })

const coinId = () =>
  varchar('coin_id', { length: 50 })
    .notNull()
    .references(() => coins.id, { onDelete: 'cascade' })

export const instruments = pgTable(
  'instruments',
  {
    coinId: coinId(),
    source: varchar({ length: 50 }).notNull(),
    symbol: varchar({ length: 50 }).notNull(),
    preference: integer().notNull(),
    followedFrom: instant('followed_from').notNull(),
    followedTo: instant('followed_to'),
  },
  (table) => [primaryKey({ columns: [table.coinId, table.source, table.symbol] })],
)

export const candleCoverage = pgTable(
  'candle_coverage',
  {
    coinId: coinId(),
    timeframe: varchar({ length: 10 }).notNull(),
    source: varchar({ length: 50 }).notNull(),
    state: varchar({ length: 20 }).notNull(),
    ranges: tsmultirange().notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.coinId, table.timeframe, table.source, table.state] })],
)

export const ingestRuns = pgTable(
  'ingest_runs',
  {
    id: uuid().primaryKey(),
    job: varchar({ length: 100 }).notNull(),
    queue: varchar({ length: 100 }).notNull(),
    jobId: varchar('job_id', { length: 255 }).notNull(),
    attempt: integer().notNull(),
    payload: jsonb().notNull(),
    status: varchar({ length: 20, enum: ['running', 'done', 'failed', 'abandoned'] }).notNull(),
    willRetry: boolean('will_retry').notNull().default(false),
    startedAt: instant('started_at').notNull(),
    finishedAt: instant('finished_at'),
    outcome: jsonb(),
    error: text(),
  },
  (table) => [
    index('idx_ingest_runs_job').on(table.job, table.startedAt),
    index('idx_ingest_runs_job_id').on(table.jobId),
    index('idx_ingest_runs_started_at').on(table.startedAt),
  ],
)
