import { Malformed } from '../../fault.ts'
import type { Candle, CandleRow } from '../../market/candle.ts'
import { addDecimals, compareDecimals, type Decimal } from '../../market/decimal.ts'
import { type Instant, toInstant } from '../../market/instant.ts'
import { floorTo, type Timeframe } from '../../market/timeframe.ts'

/** One trade of an answer, or what could not be read as one. `raw` is the row as it stood in the answer. */
export type TradeRow = Readonly<
  {
    raw: unknown
    /** The source's own number of it: two trades may be alike in all else. */
    id: string
    /** In nanoseconds since 1970, as far as they are written. */
    time: bigint
  } & ({ price: Decimal; amount: Decimal } | { flaw: string })
>

/** A row of an answer without the time or the number that a trade is put in its place by. */
export type UnplacedTrade = Readonly<{ raw: unknown; flaw: string }>

/** One answer of trades. */
export type TradePage = Readonly<{
  rows: readonly TradeRow[]
  /** Where the source says to go on, in nanoseconds since 1970. */
  cursor: bigint
}>

/**
 * An unplaced trade belongs to the candle of the trade before it or of the one behind it: these two cannot be known, and all
 * others can. Throws Malformed where no trade of the answer has a place.
 */
export function placeTrades(source: string, rows: readonly (TradeRow | UnplacedTrade)[]): TradeRow[] {
  const placed = rows.flatMap((row, index) => {
    if (!isPlaced(row)) return []
    const neighbour = [rows[index - 1], rows[index + 1]].find((one) => one && !isPlaced(one))
    const { raw, id, time } = row
    return neighbour && 'flaw' in neighbour
      ? [{ raw, id, time, flaw: `a trade beside it cannot be placed, ${neighbour.flaw}` }]
      : [row]
  })
  if (rows.length > 0 && placed.length === 0)
    throw new Malformed(`${source} sent ${rows.length} trades, none of them with a time and a number`)
  return placed
}

const isPlaced = (row: TradeRow | UnplacedTrade): row is TradeRow => 'time' in row

const nanosecondsPerMs = 1_000_000n

export const toNanoseconds = (instant: Instant): bigint => BigInt(instant) * nanosecondsPerMs

/** The millisecond that a moment in nanoseconds belongs to. */
export const ofNanoseconds = (time: bigint): Instant => toInstant(Number(time / nanosecondsPerMs))

/** What came of the trades of one interval so far. They are not kept themselves: `trades` tells which they were. */
type Growing = Readonly<
  { trades: { count: number; first: string; last: string } } & ({ candle: Candle } | { flaw: string })
>

/**
 * Makes candles of trades: first price, highest, lowest, last, and the exact sum of the amounts. An interval without
 * trades has no candle, and one with a bad trade is a flawed row, since it cannot be known.
 */
export class TradedCandles {
  readonly #timeframe: Timeframe
  readonly #growing = new Map<Instant, Growing>()

  constructor(timeframe: Timeframe) {
    this.#timeframe = timeframe
  }

  /** Trades must come in the order in which they were made. */
  add(row: TradeRow): void {
    const openTime = floorTo(this.#timeframe, ofNanoseconds(row.time))
    const before = this.#growing.get(openTime)
    const { count, first } = before?.trades ?? { count: 0, first: row.id }
    this.#growing.set(openTime, {
      trades: { count: count + 1, first, last: row.id },
      ...grown(before, openTime, row),
    })
  }

  /** Hands out the rows of the candles that open before that instant, and forgets them. */
  take(until: Instant): CandleRow[] {
    const ready = [...this.#growing].filter(([openTime]) => openTime < until)
    for (const [openTime] of ready) this.#growing.delete(openTime)
    return ready.map(([openTime, { trades, ...made }]) =>
      'candle' in made ? { raw: trades, candle: made.candle } : { raw: trades, openTime, flaw: made.flaw },
    )
  }
}

function grown(
  before: Growing | undefined,
  openTime: Instant,
  row: TradeRow,
): { candle: Candle } | { flaw: string } {
  if (before && 'flaw' in before) return { flaw: before.flaw }
  if ('flaw' in row) return { flaw: `trade ${row.id} of it is bad: ${row.flaw}` }
  const { price, amount } = row
  if (!before)
    return { candle: { openTime, open: price, high: price, low: price, close: price, volume: amount } }
  const { candle } = before
  return {
    candle: {
      ...candle,
      high: compareDecimals(price, candle.high) > 0 ? price : candle.high,
      low: compareDecimals(price, candle.low) < 0 ? price : candle.low,
      close: price,
      volume: addDecimals(candle.volume, amount),
    },
  }
}
