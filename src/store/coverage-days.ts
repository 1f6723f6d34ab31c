import { sql } from 'drizzle-orm'
import { day, earlier, type Instant, later, plus, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { floorTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { type RangeRow, toRange } from './multirange.ts'
import type { Database } from './transaction.ts'

/** How many candles of a UTC day are in the table, known not to exist, or in quarantine. */
export type DayCoverage = Readonly<{
  coinId: string
  day: Instant
  stored: number
  absent: number
  refused: number
}>

type PartRow = RangeRow & Readonly<{ coin_id: string; state: 'stored' | 'no-trades' | 'refused' }>

/**
 * The ledger of many coins, day by day, in one query; a day of which nothing is known is left out. What several sources
 * have stored counts once.
 */
export async function readCoverageDays(
  db: Database,
  coinIds: readonly string[],
  timeframe: Timeframe,
  { from, to }: Range,
): Promise<DayCoverage[]> {
  if (coinIds.length === 0) return []
  const { rows } = await db.execute<PartRow>(sql`
    with known as (
      select coin_id, state,
        unnest(range_agg(ranges) * tsmultirange(tsrange(${toIso(from)}::timestamp, ${toIso(to)}::timestamp))) as part
      from candle_coverage
      where timeframe = ${timeframe} and coin_id in ${coinIds} and state in ('stored', 'no-trades', 'refused')
      group by coin_id, state
    )
    select coin_id, state, extract(epoch from lower(part)) * 1000 as from_ms, extract(epoch from upper(part)) * 1000 as to_ms
    from known`)
  return [...countByDay(rows, timeframe).values()].map(({ coinId, day: at, ...counts }) => ({
    coinId,
    day: at,
    stored: Math.round(counts.stored),
    absent: Math.round(counts.absent),
    refused: Math.round(counts.refused),
  }))
}

const countOf = { stored: 'stored', 'no-trades': 'absent', refused: 'refused' } as const

/** Cut into days here: the ledger has few parts, and a year of a hundred coins has many days. */
function countByDay(rows: readonly PartRow[], timeframe: Timeframe) {
  const days = new Map<string, { -readonly [Name in keyof DayCoverage]: DayCoverage[Name] }>()
  for (const { coin_id: coinId, state, ...row } of rows) {
    const { from, to } = toRange(row)
    for (let at = floorTo('1d', from); at < to; at = plus(at, day)) {
      const key = `${coinId} ${at}`
      const counted = days.get(key) ?? { coinId, day: at, stored: 0, absent: 0, refused: 0 }
      const partMs = earlier(to, plus(at, day)) - later(from, at)
      counted[countOf[state]] += partMs / timeframeMs[timeframe]
      days.set(key, counted)
    }
  }
  return days
}

/** How many candles of the timeframe a whole day has. */
export const candlesOfDay = (timeframe: Timeframe): number => Math.max(1, day / timeframeMs[timeframe])
