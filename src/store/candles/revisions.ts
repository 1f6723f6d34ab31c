import { and, count, countDistinct, desc, eq, gte, lt, type SQL } from 'drizzle-orm'
import { candleRevisions } from '../../../drizzle/schema/ingest.ts'
import type { Candle } from '../../market/candle.ts'
import type { Instant } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { Series } from '../coverage.ts'
import { type Database, withFaults } from '../transaction.ts'

type CandleValues = Omit<Candle, 'openTime'>

/** A candle that its source changed, before and after. */
export type Revision = Readonly<{
  openTime: Instant
  revisedAt: Instant
  source: string
  runId: string | undefined
  old: CandleValues
  new: CandleValues
}>

/** The latest revision of each candle in the range, at most `most`, ascending by open time. */
export async function readRevisions(
  db: Database,
  series: Omit<Series, 'source'>,
  range: Range,
  most: number,
): Promise<Revision[]> {
  const { timestamp, revisedAt } = candleRevisions
  const latest = db
    .select()
    .from(candleRevisions)
    .where(within(series, range))
    .orderBy(desc(timestamp), desc(revisedAt))
    .limit(most)
  const rows = await withFaults(latest)
  return rows
    .map((row) => ({
      openTime: row.timestamp,
      revisedAt: row.revisedAt,
      source: row.source,
      runId: row.runId ?? undefined,
      old: {
        open: row.oldOpen,
        high: row.oldHigh,
        low: row.oldLow,
        close: row.oldClose,
        volume: row.oldVolume,
      },
      new: {
        open: row.newOpen,
        high: row.newHigh,
        low: row.newLow,
        close: row.newClose,
        volume: row.newVolume,
      },
    }))
    .reverse()
}

/** Number of revised candles in the range, and of their revisions. */
export async function countRevisions(
  db: Database,
  series: Omit<Series, 'source'>,
  range: Range,
): Promise<{ candles: number; revisions: number }> {
  const counting = db
    .select({ candles: countDistinct(candleRevisions.timestamp), revisions: count() })
    .from(candleRevisions)
    .where(within(series, range))
  const [counted] = await withFaults(counting)
  return counted ?? { candles: 0, revisions: 0 }
}

const within = ({ coinId, timeframe }: Omit<Series, 'source'>, { from, to }: Range): SQL | undefined =>
  and(
    eq(candleRevisions.coinId, coinId),
    eq(candleRevisions.timeframe, timeframe),
    gte(candleRevisions.timestamp, from),
    lt(candleRevisions.timestamp, to),
  )
