import { type Instant, toInstant, toIso } from '../market/instant.ts'
import { type Range, subtract } from '../market/range.ts'
import { type Timeframe, timeframes } from '../market/timeframe.ts'
import { type PartitionLength, partitionLengths } from '../settings/schema.ts'
import type { Settings } from '../settings.ts'

export type PartitionedTable = Readonly<{ name: string; length: PartitionLength; timeframe?: Timeframe }>

/** All partitioned tables of the settings. */
export function partitionedTables(settings: Settings): PartitionedTable[] {
  const candles = timeframes.flatMap((timeframe) => {
    const policy = settings.timeframes[timeframe]
    return policy ? [candleTable(timeframe, policy.partition)] : []
  })
  return [...candles, { name: 'market_data', length: settings.prices.partition }]
}

export const candleTable = (timeframe: Timeframe, length: PartitionLength): PartitionedTable => ({
  name: `ohlcv_data_${timeframe}`,
  length,
  timeframe,
})

/** `ohlcv_data_1m_y2024m05d17` */
export type PartitionPlan = Readonly<{ name: string; range: Range }>

export function partitionAt({ name, length }: PartitionedTable, instant: Instant): PartitionPlan {
  const date = new Date(instant)
  const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  const begin = (years: number, months: number, days: number) => toInstant(Date.UTC(years, months, days))
  const y = `y${String(year).padStart(4, '0')}`
  const m = `m${String(month + 1).padStart(2, '0')}`
  const d = `d${String(dayOfMonth).padStart(2, '0')}`
  switch (length) {
    case 'year':
      return { name: `${name}_${y}`, range: { from: begin(year, 0, 1), to: begin(year + 1, 0, 1) } }
    case 'month':
      return {
        name: `${name}_${y}${m}`,
        range: { from: begin(year, month, 1), to: begin(year, month + 1, 1) },
      }
    case 'day':
      return {
        name: `${name}_${y}${m}${d}`,
        range: { from: begin(year, month, dayOfMonth), to: begin(year, month, dayOfMonth + 1) },
      }
  }
}

/** The partitions of a range, ascending. */
export function partitionsOf(table: PartitionedTable, { from, to }: Range): PartitionPlan[] {
  const plans: PartitionPlan[] = []
  for (let at = from; at < to; ) {
    const plan = partitionAt(table, at)
    plans.push(plan)
    at = plan.range.to
  }
  return plans
}

/** The partition of `now` and the next `ahead` ones. */
export function partitionsAhead(table: PartitionedTable, now: Instant, ahead: number): PartitionPlan[] {
  const plans = [partitionAt(table, now)]
  for (let last = plans[0]; last && plans.length <= ahead; last = plans.at(-1))
    plans.push(partitionAt(table, last.range.to))
  return plans
}

/** Partitions needed to cover a range: usual ones, minus what existing partitions with other bounds take. */
export const missingPartitions = (
  table: PartitionedTable,
  taken: readonly Range[],
  range: Range,
): PartitionPlan[] =>
  partitionsOf(table, range).flatMap((usual) =>
    subtract(usual.range, taken)
      .filter(({ from, to }) => from < range.to && to > range.from)
      .map((free) => (isSame(free, usual.range) ? usual : { name: partName(usual, free), range: free })),
  )

const isSame = (a: Range, b: Range): boolean => a.from === b.from && a.to === b.to

/** `ohlcv_data_1h_y2024m05_from_20240521t050000`: part of a usual partition. */
const partName = ({ name }: PartitionPlan, { from }: Range): string =>
  `${name}_from_${toIso(from)
    .replaceAll(/[-:Z]|[.]000/g, '')
    .replace('T', 't')
    .replace('.', '_')}`

/** Whether Beacon would create this name and bounds, with any configured length. */
export const isOwnForm = (table: string, { name, range }: PartitionPlan): boolean =>
  partitionLengths.some((length) => {
    const usual = partitionAt({ name: table, length }, range.from)
    if (name === usual.name) return isSame(range, usual.range)
    return name === partName(usual, range) && range.to <= usual.range.to
  })
