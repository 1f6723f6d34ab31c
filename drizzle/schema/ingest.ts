import { type SQL, sql } from 'drizzle-orm'
import {
  type AnyPgColumn,
  bigint,
  boolean,
  char,
  check,
  index,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'
import type { Decimal } from '../../src/market/decimal.ts'
import { decimal } from './decimal-column.ts'
import { instant } from './instant-column.ts'
import { coins } from './market-data.ts'
import { tsmultirange } from './multirange-column.ts'

export type Instrument = typeof instruments.$inferSelect
export type CandleCoverage = typeof candleCoverage.$inferSelect
export type IngestRun = typeof ingestRuns.$inferSelect
export type CandleRevision = typeof candleRevisions.$inferSelect
export type QuarantinedRow = typeof quarantinedRows.$inferSelect
export type FailingJob = typeof failingJobs.$inferSelect
export type RequestBudget = typeof requestBudget.$inferSelect

const volume = (name: string) => numeric(name, { precision: 32, scale: 8 }).$type<Decimal>()

const coinId = () =>
  varchar('coin_id', { length: 50 })
    .notNull()
    .references(() => coins.id, { onDelete: 'cascade' })

/** A market has one coin, whatever the spelling of its symbol. `marketKey` in src/market does the same in TypeScript. */
const oneSpelling = (source: AnyPgColumn, symbol: AnyPgColumn): SQL => sql`(case ${source}
  when 'kraken' then regexp_replace(upper(translate(${symbol}, '-_/:', '')), '^X([A-Z]{3})[XZ]([A-Z]{3})$', '\\1\\2')
  else upper(translate(${symbol}, '-_/:', ''))
end)`

/** The markets of a coin with their listing dates, in the order of `preference`. `symbol` is in the source's spelling. */
export const instruments = pgTable(
  'instruments',
  {
    coinId: coinId(),
    source: varchar({ length: 50 }).notNull(),
    symbol: varchar({ length: 50 }).notNull(),
    preference: integer().notNull(),
    trackedFrom: instant('tracked_from').notNull(),
    trackedTo: instant('tracked_to'),
    listedFrom: instant('listed_from'),
    listedTo: instant('listed_to'),
    lastListedAt: instant('last_listed_at'),
    missingSince: instant('missing_since'),
    haltedSince: instant('halted_since'),
    relistedAt: instant('relisted_at'),
    sharesMarket: boolean('shares_market').notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.coinId, table.source, table.symbol, table.trackedFrom] }),
    uniqueIndex('instruments_open_key')
      .on(table.coinId, table.source, table.symbol)
      .where(sql`listed_to is null`),
    uniqueIndex('instruments_market_key')
      .on(table.source, oneSpelling(table.source, table.symbol))
      .where(sql`tracked_to is null and listed_to is null and not shares_market`),
    check('instruments_preference_check', sql`preference >= 0`),
    check('instruments_listed_check', sql`listed_from < listed_to`),
    check('instruments_relisted_check', sql`relisted_at is null or listed_to is not null`),
  ],
)

/** Coverage of each series by state, as ranges of open times. */
export const candleCoverage = pgTable(
  'candle_coverage',
  {
    coinId: coinId(),
    timeframe: varchar({ length: 10 }).notNull(),
    source: varchar({ length: 50 }).notNull(),
    state: varchar({
      length: 20,
      enum: ['stored', 'no-trades', 'refused', 'provisional', 'recheck-after-day', 'recheck-after-month'],
    }).notNull(),
    ranges: tsmultirange('ranges').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.coinId, table.timeframe, table.source, table.state] }),
    check(
      'candle_coverage_state_check',
      sql`state in ('stored', 'no-trades', 'refused', 'provisional', 'recheck-after-day', 'recheck-after-month')`,
    ),
  ],
)

/** One row per run of a job. */
export const ingestRuns = pgTable(
  'ingest_runs',
  {
    id: uuid().primaryKey(),
    job: varchar({ length: 100 }).notNull(),
    queue: varchar({ length: 100 }).notNull(),
    jobId: varchar('job_id', { length: 255 }).notNull(),
    attempt: integer().notNull(),
    payload: jsonb().notNull(),
    status: varchar({ length: 20, enum: ['running', 'done', 'partial', 'failed', 'abandoned'] }).notNull(),
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
    check('ingest_runs_status_check', sql`status in ('running', 'done', 'partial', 'failed', 'abandoned')`),
  ],
)

/** Jobs whose last run failed, one row per subject. */
export const failingJobs = pgTable(
  'failing_jobs',
  {
    job: varchar({ length: 100 }).notNull(),
    subjectHash: char('subject_hash', { length: 32 }).notNull(),
    subject: jsonb().$type<Readonly<Record<string, string>>>().notNull(),
    queue: varchar({ length: 100 }).notNull(),
    status: varchar({ length: 20, enum: ['partial', 'failed'] }).notNull(),
    fault: varchar({ length: 100 }).notNull(),
    willRetry: boolean('will_retry').notNull(),
    firstError: text('first_error').notNull(),
    lastError: text('last_error').notNull(),
    firstFailedAt: instant('first_failed_at').notNull(),
    lastFailedAt: instant('last_failed_at').notNull(),
    lastStartedAt: instant('last_started_at').notNull(),
    failures: integer().notNull(),
    runId: uuid('run_id').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.job, table.subjectHash] }),
    check('failing_jobs_status_check', sql`status in ('partial', 'failed')`),
    check('failing_jobs_check', sql`last_failed_at >= first_failed_at`),
    check('failing_jobs_failures_check', sql`failures > 0`),
  ],
)

/** Closed candles that their source changed later, with the values before and after. */
export const candleRevisions = pgTable(
  'candle_revisions',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedByDefaultAsIdentity(),
    coinId: coinId(),
    timeframe: varchar({ length: 10 }).notNull(),
    timestamp: instant().notNull(),
    revisedAt: instant('revised_at').notNull(),
    source: varchar({ length: 50 }).notNull(),
    runId: uuid('run_id'),
    oldOpen: decimal('old_open').notNull(),
    oldHigh: decimal('old_high').notNull(),
    oldLow: decimal('old_low').notNull(),
    oldClose: decimal('old_close').notNull(),
    oldVolume: volume('old_volume').notNull(),
    newOpen: decimal('new_open').notNull(),
    newHigh: decimal('new_high').notNull(),
    newLow: decimal('new_low').notNull(),
    newClose: decimal('new_close').notNull(),
    newVolume: volume('new_volume').notNull(),
  },
  (table) => [
    index('idx_candle_revisions_series').on(table.coinId, table.timeframe, table.timestamp),
    index('idx_candle_revisions_revised_at').on(table.revisedAt),
    index('idx_candle_revisions_summarised').on(table.timestamp).where(sql`timeframe in ('1h', '1d')`),
  ],
)

/**
 * Rejected rows: the last raw text, the reason, and how often it was seen. `market` is the source's symbol; `resolution` is
 * null while the row is open.
 */
export const quarantinedRows = pgTable(
  'quarantined_rows',
  {
    id: uuid().primaryKey().defaultRandom(),
    source: varchar({ length: 50 }).notNull(),
    market: varchar({ length: 50 }).notNull(),
    coinId: varchar('coin_id', { length: 50 }).references(() => coins.id, { onDelete: 'cascade' }),
    timeframe: varchar({ length: 10 }),
    timestamp: instant(),
    reason: text().notNull(),
    raw: text().notNull(),
    candle: jsonb().$type<Record<'open' | 'high' | 'low' | 'close' | 'volume', Decimal>>(),
    runId: uuid('run_id'),
    quarantinedAt: instant('quarantined_at').notNull(),
    kind: varchar({ length: 200 }).notNull(),
    timesSeen: integer('times_seen').notNull().default(1),
    lastSeenAt: instant('last_seen_at').notNull(),
    resolution: varchar({
      length: 20,
      enum: ['loaded', 'withdrawn', 'discarded', 'accepted', 'superseded'],
    }),
    resolvedAt: instant('resolved_at'),
    resolvedBy: varchar('resolved_by', { length: 100 }),
    resolvedReason: text('resolved_reason'),
  },
  ({ source, market, coinId, timeframe, timestamp, kind, lastSeenAt }) => [
    index('idx_quarantined_rows_last_seen_at').on(lastSeenAt),
    unique('quarantined_rows_row_key')
      .on(source, market, coinId, timeframe, timestamp, kind)
      .nullsNotDistinct(),
    check('quarantined_rows_seen_check', sql`times_seen > 0 and quarantined_at <= last_seen_at`),
    index('idx_quarantined_rows_series').on(coinId, timeframe, timestamp),
    check(
      'quarantined_rows_resolution_check',
      sql`resolution in ('loaded', 'withdrawn', 'discarded', 'accepted', 'superseded')`,
    ),
    check(
      'quarantined_rows_resolved_check',
      sql`num_nulls(resolution, resolved_at, resolved_by) in (0, 3) and (resolution is distinct from 'discarded' or resolved_reason is not null) and (resolution is not null or resolved_reason is null)`,
    ),
  ],
)

/** The used part of each source's rate limit. `expire` and `written_at` are epoch microseconds. */
export const requestBudget = pgTable('request_budget', {
  key: varchar({ length: 255 }).primaryKey(),
  points: integer().notNull().default(0),
  expire: bigint({ mode: 'number' }),
  writtenAt: bigint('written_at', { mode: 'number' }),
})
