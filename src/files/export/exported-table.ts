import { day, type Instant, toInstant } from '../../market/instant.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { ArchiveColumn } from '../../store/lifecycle/archives/archive-content.ts'

/** By the command's name. */
export const exportedTables = {
  candles: {
    name: 'ohlcv_data',
    time: 'timestamp',
    columns: ['coin_id', 'timeframe', 'timestamp', 'open', 'high', 'low', 'close', 'volume'],
    isPartitioned: true,
  },
  prices: {
    name: 'market_data',
    time: 'timestamp',
    columns: [
      'coin_id',
      'timestamp',
      'price',
      'market_cap',
      'volume_24h',
      'change_24h',
      'rank',
      'circulating_supply',
      'max_supply',
    ],
    isPartitioned: true,
  },
  market_data_daily: {
    name: 'market_data_daily',
    time: 'day',
    columns: [
      'coin_id',
      'day',
      'open',
      'high',
      'low',
      'close',
      'average_price',
      'market_cap',
      'volume_24h',
      'rank',
      'circulating_supply',
      'max_supply',
      'samples',
      'first_at',
      'last_at',
    ],
    isPartitioned: false,
  },
} as const satisfies Readonly<Record<string, ExportedTable>>

export type ExportedTable = Readonly<{
  name: string
  time: string
  columns: readonly string[]
  isPartitioned: boolean
}>

export type ExportedName = keyof typeof exportedTables

/** One coin, and for candles one timeframe. */
export type ExportedSeries = Readonly<{ coinId: string; timeframe: Timeframe | undefined }>

/** PostgreSQL texts; timestamps in microseconds since 1970. */
export type Row = readonly (string | null)[]

/** A date, or microseconds since 1970. */
export const instantOf = (text: string): Instant =>
  toInstant(text.includes('-', 1) ? Date.parse(`${text}T00:00:00Z`) : Math.floor(Number(text) / 1_000))

export const timeText = (instant: Instant): string => `${instant}000`

/** Limit per COPY: an aborted one is read to its end. */
const candlesPerCopy = 200_000

export const copyLengthMs = (timeframe: Timeframe | undefined): number =>
  timeframe === undefined ? 365 * day : candlesPerCopy * timeframeMs[timeframe]

/** Cause of an inserted row. */
export const gapColumn: ArchiveColumn = { name: 'gap', type: 'text', nullable: true }
