import type { Pool } from 'pg'
import type { Range } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import { type MeasuredPartition, measurePartitions } from '../../store/lifecycle/list-partitions.ts'
import { isBounded } from '../../store/partitions/catalog.ts'
import { candleTable, missingPartitions } from '../../store/partitions.ts'
import { databaseOf } from '../../store/transaction.ts'

export type SeriesStorage = Readonly<{
  /** Partitions to create. */
  partitions: readonly string[]
  /** Estimate including indexes. */
  bytes: number
}>

type Missing = Readonly<{
  series: Readonly<{ timeframe: Timeframe }>
  missing: readonly Range[]
  candles: number
}>

/** About 96 bytes heap and 54 index for rows inserted in time order; tables with candles are measured. */
const usualBytesPerCandle = 150

/** An empty partition: free space map and first pages of table and index. */
const bytesPerPartition = 40_960

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

/** With fewer rows the partition itself dominates. */
const enoughRows = 1_000

/** From partitions with row estimates. */
function bytesPerCandleOf(measured: readonly MeasuredPartition[]): number {
  const counted = measured.filter(({ estimatedRows }) => estimatedRows > 0)
  const rows = counted.reduce((sum, { estimatedRows }) => sum + estimatedRows, 0)
  if (rows < enoughRows) return usualBytesPerCandle
  const bytes = counted.reduce((sum, partition) => sum + Math.max(0, partition.bytes - bytesPerPartition), 0)
  return bytes / rows
}
