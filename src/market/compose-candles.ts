import type { Candle, CandleRow } from './candle.ts'
import { type CandleExpectation, checkExactCandles } from './candle-check.ts'
import { addDecimals, compareDecimals } from './decimal.ts'
import type { Instant } from './instant.ts'
import { floorTo, type Timeframe } from './timeframe.ts'

/**
 * Makes candles of a longer timeframe of the rows of a shorter one: first open, highest high, lowest low, last close,
 * and the exact sum of the volumes. `parts` says what the rows are: their timeframe, the range they speak for (on the
 * grid of the longer one) and the source's time. One that has a bad part is a flawed row, since it cannot be known.
 */
export function composeCandles(
  rows: readonly CandleRow[],
  parts: CandleExpectation,
  timeframe: Timeframe,
): CandleRow[] {
  const { candles, rejected } = checkExactCandles(rows, parts)
  const flaws = new Map<Instant, string>()
  const homeless: CandleRow[] = []
  for (const { raw, reason, openTime } of rejected) {
    if (openTime === undefined) homeless.push({ raw, flaw: reason })
    else flaws.set(floorTo(timeframe, openTime), `a ${parts.timeframe} candle of it is bad: ${reason}`)
  }
  const groups = new Map<Instant, [Candle, ...Candle[]]>()
  for (const candle of candles) {
    const openTime = floorTo(timeframe, candle.openTime)
    const group = groups.get(openTime)
    if (group) group.push(candle)
    else groups.set(openTime, [candle])
  }
  const whole = [...groups].filter(([openTime]) => !flaws.has(openTime))
  return [
    ...whole.map(([openTime, group]) => ({ raw: group, candle: compose(openTime, group) })),
    ...[...flaws].map(([openTime, flaw]) => ({ raw: groups.get(openTime) ?? null, openTime, flaw })),
    ...homeless,
  ]
}

/** The parts are ascending. */
function compose(openTime: Instant, [first, ...others]: [Candle, ...Candle[]]): Candle {
  let { high, low, close, volume } = first
  for (const part of others) {
    if (compareDecimals(part.high, high) > 0) high = part.high
    if (compareDecimals(part.low, low) < 0) low = part.low
    close = part.close
    volume = addDecimals(volume, part.volume)
  }
  return { openTime, open: first.open, high, low, close, volume }
}
