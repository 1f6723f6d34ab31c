import type { Candle, CandleRow, RejectedRow } from './candle.ts'
import { type CandleExpectation, checkExactCandles } from './candle-check.ts'
import { addDecimals, compareDecimals } from './decimal.ts'
import { type Instant, toMinuteText } from './instant.ts'
import { floorTo, type Timeframe } from './timeframe.ts'

/** Parts of a composed candle. */
type Parts = Readonly<{ good: Candle[]; bad: (RejectedRow & { openTime: Instant })[] }>

/**
 * Composes longer candles: first open, extremes, last close, exact volume. A rejected part flaws the candle, which is
 * acceptable if its parts are.
 */
export function composeCandles(
  rows: readonly CandleRow[],
  parts: CandleExpectation,
  timeframe: Timeframe,
): CandleRow[] {
  const { candles, rejected } = checkExactCandles(rows, parts)
  const composed = new Map<Instant, Parts>()
  const partsAt = (openTime: Instant): Parts => {
    const at = floorTo(timeframe, openTime)
    const known = composed.get(at) ?? { good: [], bad: [] }
    composed.set(at, known)
    return known
  }
  for (const candle of candles) partsAt(candle.openTime).good.push(candle)
  const others: CandleRow[] = []
  for (const row of rejected) {
    const { reason: flaw, openTime, acceptable: _, ...rest } = row
    if (openTime === undefined) others.push({ ...rest, flaw })
    else if (row.isSuperseded) others.push({ ...rest, flaw, openTime: floorTo(timeframe, openTime) })
    else partsAt(openTime).bad.push({ ...row, openTime })
  }
  return [...[...composed].map(([openTime, of]) => rowOf(openTime, of, parts.timeframe)), ...others]
}

function rowOf(openTime: Instant, { good, bad }: Parts, part: Timeframe): CandleRow {
  const [first] = bad
  if (!first) return { raw: good, candle: compose(openTime, good) }
  const more = bad.length > 1 ? `, and ${bad.length - 1} more of its ${part} candles` : ''
  const acceptable = composeAccepted(openTime, good, bad)
  return {
    raw: [...good, ...bad.map(({ raw }) => raw)],
    openTime,
    flaw: `its ${part} candle of ${toMinuteText(first.openTime)} UTC was rejected${more}: ${first.reason}`,
    ...(acceptable === undefined ? {} : { acceptable }),
  }
}

/** Undefined unless all parts can be accepted. */
function composeAccepted(openTime: Instant, good: readonly Candle[], bad: Parts['bad']): Candle | undefined {
  const accepted = bad.flatMap(({ acceptable }) => acceptable ?? [])
  const all = [...good, ...accepted].sort((a, b) => a.openTime - b.openTime)
  const isOncePerTime = all.every((candle, index) => candle.openTime !== all[index - 1]?.openTime)
  return accepted.length === bad.length && isOncePerTime ? compose(openTime, all) : undefined
}

/** Ascending, at least one. */
function compose(openTime: Instant, [first, ...others]: readonly Candle[]): Candle {
  if (!first) throw new RangeError('a candle is made of at least one part')
  let { high, low, close, volume } = first
  for (const part of others) {
    if (compareDecimals(part.high, high) > 0) high = part.high
    if (compareDecimals(part.low, low) < 0) low = part.low
    close = part.close
    volume = addDecimals(volume, part.volume)
  }
  return { openTime, open: first.open, high, low, close, volume }
}
