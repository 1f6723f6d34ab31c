import type { Pool } from 'pg'
import type { Range } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import { type MeasuredPartition, measurePartitions } from '../../store/lifecycle/list-partitions.ts'
import { isBounded } from '../../store/partitions/catalog.ts'
import { candleTable, missingPartitions } from '../../store/partitions.ts'
import { databaseOf } from '../../store/transaction.ts'

/** What one series takes in the database. */
export type SeriesStorage = Readonly<{
  /** Leaves that its candles go to and that are not there yet. */
  partitions: readonly string[]
  /** An estimate, with the indexes. */
  bytes: number
}>

type Missing = Readonly<{
  series: Readonly<{ timeframe: Timeframe }>
  missing: readonly Range[]
  candles: number
}>

/**
 * What a candle takes on disk with its line in the index, about: 96 bytes of heap and 54 of index, where a leaf is filled
 * in the order of time. A table that has candles tells by itself.
 */
const usualBytesPerCandle = 150

/** What a leaf takes before its first candle, about: its free space map, and the first pages of table and index. */
const bytesPerPartition = 40_960

/** What the series take in the database, one by one in their order; a leaf that two of them need is the first one's. */
export async function storageOf(
  pool: Pool,
  settings: Settings,
  series: readonly Missing[],
): Promise<SeriesStorage[]> {
  const tables = [...new Set(series.map(({ series: { timeframe } }) => tableOf(settings, timeframe).name))]
  const { all: measured } = await measurePartitions(databaseOf(pool), tables)
  const planned = new Set<string>()
  return series.map(({ series: { timeframe }, missing, candles }) => {
    const table = tableOf(settings, timeframe)
    const own = measured.filter((partition) => partition.table === table.name)
    const taken = own.filter(isBounded).map(({ range }) => range)
    const uncreated = missing.flatMap((range) => missingPartitions(table, taken, range))
    const partitions = [...new Set(uncreated.map(({ name }) => name))].toSorted()
    const made = partitions.filter((name) => !planned.has(name))
    for (const name of made) planned.add(name)
    const perCandle = bytesPerCandleOf(own)
    return { partitions, bytes: Math.round(candles * perCandle) + made.length * bytesPerPartition }
  })
}

const tableOf = ({ timeframes }: Settings, timeframe: Timeframe) =>
  candleTable(timeframe, timeframes[timeframe]?.partition ?? 'month')

/** Fewer rows than these say little: most of what they take is the leaf itself. */
const enoughRows = 1_000

/** Measured over the leaves whose rows the server has counted. */
function bytesPerCandleOf(measured: readonly MeasuredPartition[]): number {
  const counted = measured.filter(({ estimatedRows }) => estimatedRows > 0)
  const rows = counted.reduce((sum, { estimatedRows }) => sum + estimatedRows, 0)
  if (rows < enoughRows) return usualBytesPerCandle
  const bytes = counted.reduce((sum, partition) => sum + Math.max(0, partition.bytes - bytesPerPartition), 0)
  return bytes / rows
}
