import { Malformed } from '../../fault.ts'
import type { Candle, CandleRow } from '../../market/candle.ts'
import { addDecimals, compareDecimals, type Decimal } from '../../market/decimal.ts'
import { type Instant, toInstant } from '../../market/instant.ts'
import { floorTo, type Timeframe } from '../../market/timeframe.ts'

/** `raw`: as in the answer. */
export type TradeRow = Readonly<
  {
    raw: unknown
    /** Unique; other fields may coincide. */
    id: string
    /** In nanoseconds since 1970. */
    time: bigint
  } & ({ price: Decimal; amount: Decimal } | { flaw: string })
>

/** Without time or number. */
export type UnplacedTrade = Readonly<{ raw: unknown; flaw: string }>

export type TradePage = Readonly<{
  rows: readonly TradeRow[]
  /** Where to continue, in nanoseconds since 1970. */
  cursor: bigint
}>

/** An unplaced trade makes its neighbours' candles unknown. Throws Malformed if none has a place. */
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

export const ofNanoseconds = (time: bigint): Instant => toInstant(Number(time / nanosecondsPerMs))

/** A candle being built; trades are not kept. */
type Growing = Readonly<
  { trades: { count: number; first: string; last: string } } & ({ candle: Candle } | { flaw: string })
>

/**
 * Builds candles: first, highest, lowest, last price and exact volume. No trades, no candle; a bad trade flaws its
 * candle.
 */
export class TradedCandles {
  readonly #timeframe: Timeframe
  readonly #growing = new Map<Instant, Growing>()

  constructor(timeframe: Timeframe) {
    this.#timeframe = timeframe
  }

  /** In order of time. */
  add(row: TradeRow): void {
    const openTime = floorTo(this.#timeframe, ofNanoseconds(row.time))
    const before = this.#growing.get(openTime)
    const { count, first } = before?.trades ?? { count: 0, first: row.id }
    this.#growing.set(openTime, {
      trades: { count: count + 1, first, last: row.id },
      ...grown(before, openTime, row),
    })
  }

  /** Returns and drops candles opened before `until`. */
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
