import { sql } from 'drizzle-orm'
import { day, type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { Database } from '../transaction.ts'
import { type RangeRow, toRange } from './multirange.ts'

/** Stored, absent and rejected candles for each day of the range. */
export type CoverageDays = Readonly<{ stored: number[]; absent: number[]; refused: number[] }>

type PartRow = RangeRow & Readonly<{ coin_id: string; state: 'stored' | 'no-trades' | 'refused' }>

/**
 * Coverage of many coins by day, in one query, for whole days. Coins without coverage are left out; candles stored from
 * several sources count once.
 */
export async function readCoverageDays(
  db: Database,
  coinIds: readonly string[],
  timeframe: Timeframe,
  range: Range,
): Promise<Map<string, CoverageDays>> {
  if (coinIds.length === 0) return new Map()
  const { rows } = await db.execute<PartRow>(sql`
    with known as (
      select coin_id, state,
        unnest(range_agg(ranges) * tsmultirange(tsrange(${toIso(range.from)}::timestamp, ${toIso(range.to)}::timestamp))) as part
      from candle_coverage
      where timeframe = ${timeframe} and coin_id in ${coinIds} and state in ('stored', 'no-trades', 'refused')
      group by coin_id, state
    )
    select coin_id, state, extract(epoch from lower(part)) * 1000 as from_ms, extract(epoch from upper(part)) * 1000 as to_ms
    from known`)
  const days = (range.to - range.from) / day
  const coins = new Map<string, CoverageDays>()
  for (const { coin_id: coinId, state, ...row } of rows) {
    const coin = coins.get(coinId) ?? noCoverage(days)
    coins.set(coinId, coin)
    addPart(coin[countOf[state]], toRange(row), range.from)
  }
  for (const counts of coins.values())
    for (const msByDay of Object.values(counts)) asCandles(msByDay, timeframe)
  return coins
}

const countOf = { stored: 'stored', 'no-trades': 'absent', refused: 'refused' } as const

export const noCoverage = (days: number): CoverageDays => ({
  stored: new Array<number>(days).fill(0),
  absent: new Array<number>(days).fill(0),
  refused: new Array<number>(days).fill(0),
})

/** Split by day here, not in SQL: few ranges, many days. */
function addPart(msByDay: number[], { from, to }: Range, first: Instant): void {
  for (let at = Math.floor((from - first) / day); first + at * day < to; at += 1) {
    const begin = first + at * day
    msByDay[at] = (msByDay[at] ?? 0) + Math.min(to, begin + day) - Math.max(from, begin)
  }
}

function asCandles(msByDay: number[], timeframe: Timeframe): void {
  for (const [at, ms] of msByDay.entries()) msByDay[at] = Math.round(ms / timeframeMs[timeframe])
}

/** Candles in a complete day. */
export const candlesOfDay = (timeframe: Timeframe): number => Math.max(1, day / timeframeMs[timeframe])
