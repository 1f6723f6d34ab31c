import { sql } from 'drizzle-orm'
import { escapeLiteral } from 'pg'
import { earlier, type Instant, later, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type RangeRow, toRange } from '../coverage/multirange.ts'
import type { Series } from '../coverage.ts'
import type { Database, Transaction } from '../transaction.ts'
import { binaryHeader, readTimestamp } from './binary-copy.ts'
import { type CandleRows, valuesOf } from './candle-rows.ts'
import { copyOut } from './copy.ts'

/** Candles of one series to be written. */
export type IncomingCandles = Readonly<{
  series: Series
  rows: CandleRows
  /** The range that contains them. */
  span: Range
  /** Stored with each revision. */
  runId: string
  now: Instant
}>

/** Indexes of consecutive candles: from (inclusive), to (exclusive). */
export type Run = Readonly<{ from: number; to: number }>

export type RunsOf = Readonly<{ incoming: IncomingCandles; runs: readonly Run[] }>

export const countOf = (candles: readonly RunsOf[]): number =>
  candles.flatMap(({ runs }) => runs).reduce((sum, { from, to }) => sum + to - from, 0)

/** A candle whose stored values differ; `before` holds their bytes. */
export type ChangedCandle = Readonly<{ index: number; before: Buffer }>

/** Incoming candles compared with the table. */
export type Comparison = Readonly<{
  absent: readonly Run[]
  changed: readonly ChangedCandle[]
  unchanged: number
}>

/** A range where an incoming series (by index) may have stored candles. */
export type Suspicion = Readonly<{ place: number; range: Range }>

/** Ranges where coverage knows candles of any source, within each series' span. */
export async function readSuspicions(
  db: Database,
  timeframe: Timeframe,
  incoming: readonly IncomingCandles[],
): Promise<Suspicion[]> {
  const { rows } = await db.execute<RangeRow & { place: number }>(sql`
    select span.place::integer - 1 as place,
      extract(epoch from min(lower(part))) * 1000 as from_ms, extract(epoch from max(upper(part))) * 1000 as to_ms
    from unnest(
      ${sql.param(incoming.map(({ series }) => series.coinId))}::text[],
      ${sql.param(incoming.map(({ span }) => toIso(span.from)))}::timestamp[],
      ${sql.param(incoming.map(({ span }) => toIso(span.to)))}::timestamp[]
    ) with ordinality as span (coin_id, first, behind, place)
    join candle_coverage as known
      on known.coin_id = span.coin_id and known.timeframe = ${timeframe} and known.state = 'stored'
    cross join lateral unnest(known.ranges * tsmultirange(tsrange(span.first, span.behind))) as part
    group by span.place`)
  return rows.map((row) => ({ place: row.place, range: toRange(row) }))
}

/**
 * Compares incoming candles of one timeframe with the table, byte by byte, where they may overlap. The series must be
 * locked.
 */
export async function compareCandles(
  tx: Transaction,
  timeframe: Timeframe,
  incoming: readonly IncomingCandles[],
  suspicions: readonly Suspicion[],
): Promise<Comparison[]> {
  const findings = incoming.map((one) => new Found(one))
  if (suspicions.length > 0) {
    const stored = await copyOut(tx, storedCandles(timeframe, incoming, suspicions))
    readStored(stored, (place, openTime, values) => findings[place]?.meet(openTime, values))
  }
  return findings.map((found) => found.comparison())
}

/** Index, open time and values of the stored candles, ascending. COPY takes no parameters. */
function storedCandles(
  timeframe: Timeframe,
  incoming: readonly IncomingCandles[],
  suspicions: readonly Suspicion[],
): string {
  const at = (instant: Instant) => `timestamp '${toIso(instant)}'`
  const spans = suspicions.map(({ place, range }) => {
    const coinId = escapeLiteral(incoming[place]?.series.coinId ?? '')
    return `(${place}, ${coinId}, ${at(range.from)}, ${at(range.to)})`
  })
  const from = suspicions.map(({ range }) => range.from).reduce(earlier)
  const to = suspicions.map(({ range }) => range.to).reduce(later)
  // The overall bounds let the planner prune partitions; the inner order keeps it on the index.
  return `
    select span.place, stored.* from (values ${spans.join(', ')}) as span (place, coin_id, first, behind)
    cross join lateral (
      select timestamp, open, high, low, close, volume from ohlcv_data
      where coin_id = span.coin_id and timeframe = ${escapeLiteral(timeframe)}
        and timestamp >= span.first and timestamp < span.behind and timestamp >= ${at(from)} and timestamp < ${at(to)}
      order by timestamp
    ) as stored`
}

const valueCount = 5

/** Calls back for each row of COPY's binary format. */
function readStored(bytes: Buffer, onRow: (place: number, openTime: Instant, values: Buffer) => void): void {
  let at = binaryHeader.length
  while (bytes.readInt16BE(at) !== -1) {
    const valuesAt = at + 2 + 8 + 12
    let end = valuesAt
    for (let value = 0; value < valueCount; value += 1) end += 4 + bytes.readInt32BE(end)
    onRow(bytes.readInt32BE(at + 6), readTimestamp(bytes, at + 14), bytes.subarray(valuesAt, end))
    at = end
  }
}

/** Compares stored candles, passed in ascending order, with one series' incoming ones. */
class Found {
  readonly #incoming: IncomingCandles
  readonly #absent: Run[] = []
  readonly #changed: ChangedCandle[] = []
  #unchanged = 0
  /** Index of the first incoming candle not compared yet. */
  #next = 0

  constructor(incoming: IncomingCandles) {
    this.#incoming = incoming
  }

  meet(openTime: Instant, before: Buffer): void {
    const { rows } = this.#incoming
    const from = this.#next
    let index = from
    while ((rows.openTimes[index] ?? openTime) < openTime) index += 1
    // No longer at the source: the stored one stays.
    if (rows.openTimes[index] !== openTime) return
    if (index > from) this.#absent.push({ from, to: index })
    if (valuesOf(rows, index).equals(before)) this.#unchanged += 1
    else this.#changed.push({ index, before })
    this.#next = index + 1
  }

  comparison(): Comparison {
    const { length } = this.#incoming.rows.openTimes
    const rest = this.#next < length ? [{ from: this.#next, to: length }] : []
    return { absent: [...this.#absent, ...rest], changed: this.#changed, unchanged: this.#unchanged }
  }
}
