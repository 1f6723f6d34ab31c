import { earlier, type Instant, plus } from '../market/instant.ts'
import { floorTo, timeframeMs } from '../market/timeframe.ts'
import { amount, candlesBackFrom, type ReplayCandle, type Series } from './candles.ts'

/** Newest first up to `until`, with empty intervals at the last close, as many exchanges do. */
export function* filledCandlesBackFrom(
  series: Series,
  until: Instant,
  now: Instant,
): Generator<ReplayCandle> {
  const { timeframe } = series
  const length = timeframeMs[timeframe]
  let openTime: Instant = floorTo(timeframe, earlier(until, now))
  for (const candle of candlesBackFrom(series, until, now)) {
    for (; openTime > candle.openTime; openTime = plus(openTime, -length))
      yield quietCandle(candle, openTime, length)
    yield candle
    openTime = plus(openTime, -length)
  }
}

const nothing = amount(0, 0)

const quietCandle = ({ close }: ReplayCandle, openTime: Instant, length: number): ReplayCandle => ({
  openTime,
  closeTime: plus(openTime, length - 1),
  open: close,
  high: close,
  low: close,
  close,
  volume: nothing,
  quoteVolume: nothing,
  trades: 0,
  takerVolume: nothing,
  takerQuoteVolume: nothing,
})

/** From `from` on, at most `count`. */
export function newestFrom(
  candles: Iterable<ReplayCandle>,
  from: Instant,
  count: number,
): readonly ReplayCandle[] {
  const taken: ReplayCandle[] = []
  for (const candle of candles) {
    if (candle.openTime < from || taken.length === count) break
    taken.push(candle)
  }
  return taken
}
