import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { type Instant, toInstant, toIso } from '../../../market/instant.ts'
import {
  type AlignedRange,
  alignTo,
  type Range,
  subtract,
  union,
  wholeCandlesIn,
} from '../../../market/range.ts'
import { isTimeframe, type Timeframe } from '../../../market/timeframe.ts'
import type { AnySourceId } from '../../../settings/source-ids.ts'
import { coverageStates, lockSeries, type SeriesFindings, writeCoverages } from '../../coverage.ts'
import type { Database } from '../../transaction.ts'
import type { Partition } from '../list-partitions.ts'

/** Coverage of one series within a partition; ranges in ms since 1970. */
export const coverageForm = z.array(
  z.object({
    coinId: z.string(),
    // As it was then: a source may have been removed since.
    source: z.custom<AnySourceId>((value) => typeof value === 'string'),
    state: z.enum(coverageStates),
    ranges: z.array(z.tuple([z.number(), z.number()])),
  }),
)
export type ArchivedCoverage = z.infer<typeof coverageForm>[number]

/** Undefined for tables that hold no candles. */
export function timeframeOf(table: string): Timeframe | undefined {
  const name = /^ohlcv_data_(.+)$/.exec(table)?.[1] ?? ''
  return isTimeframe(name) ? name : undefined
}

/** Coverage of all series in a partition; empty for other tables. */
export async function coverageOf(
  db: Database,
  { table, range }: Pick<Partition, 'table' | 'range'>,
): Promise<ArchivedCoverage[]> {
  const timeframe = timeframeOf(table)
  if (timeframe === undefined) return []
  const within = sql`tsmultirange(tsrange(${toIso(range.from)}::timestamp, ${toIso(range.to)}::timestamp))`
  const { rows } = await db.execute(sql`
    select coin_id as "coinId", source, state,
      jsonb_agg(jsonb_build_array(
        (extract(epoch from lower(part)) * 1000)::bigint, (extract(epoch from upper(part)) * 1000)::bigint
      ) order by part) as ranges
    from candle_coverage, unnest(ranges * ${within}) as part
    where timeframe = ${timeframe} and state in ${coverageStates}
    group by coin_id, source, state order by coin_id, source, state`)
  return coverageForm.parse(rows)
}

/** Restores coverage in the transaction that restores the candles. */
export async function regainCoverage(
  db: Database,
  timeframe: Timeframe,
  { coverage, superseded }: Readonly<{ coverage: readonly ArchivedCoverage[]; superseded: readonly Range[] }>,
  now: Instant,
): Promise<void> {
  const answers = findingsOf(timeframe, coverage, superseded)
  await lockSeries(
    db,
    answers.map(({ series }) => series),
  )
  await writeCoverages(db, answers, now)
}

function findingsOf(
  timeframe: Timeframe,
  coverage: readonly ArchivedCoverage[],
  superseded: readonly Range[],
): SeriesFindings[] {
  const answers = new Map<string, SeriesFindings>()
  const replaced = superseded.map((range) => alignTo(timeframe, range))
  for (const { coinId, source, state, ranges } of coverage) {
    const key = `${coinId} ${source}`
    const before = answers.get(key)?.findings ?? { stored: [], 'no-trades': [], refused: [] }
    const findings = {
      ...before,
      [state]: union([
        ...before[state],
        ...ranges.flatMap((range) => subtract(toWholeCandles(timeframe, range), replaced)),
      ]),
    }
    answers.set(key, { series: { coinId, source, timeframe }, findings })
  }
  return [...answers.values()]
}

/** Old archives may hold partial candles in coverage; those are requested again. */
const toWholeCandles = (timeframe: Timeframe, [from, to]: [number, number]): AlignedRange =>
  wholeCandlesIn(timeframe, { from: toInstant(from), to: toInstant(to) })

/** Ids of the archives that hold the only copy of candles of a coin from a source, before `to`; the oldest first. */
export async function archivesWithCandles(
  db: Database,
  { coinId, source, from, to }: Readonly<{ coinId: string; source: string; from?: Instant; to: Instant }>,
): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(sql`
    select id from archives
    where state = 'dropped' and coverage @> ${JSON.stringify([{ coinId, source, state: 'stored' }])}::jsonb
      and range_from < ${toIso(to)}::timestamp
      and range_to > ${from === undefined ? '-infinity' : toIso(from)}::timestamp
    order by range_from, sequence`)
  return rows.map(({ id }) => id)
}
