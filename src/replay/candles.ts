import type { Candle } from '../market/candle.ts'
import { type Decimal, toDecimal } from '../market/decimal.ts'
import { earlier, type Instant, later, minute, plus } from '../market/instant.ts'
import { type Range, subtract } from '../market/range.ts'
import { ceilTo, floorTo, type Timeframe, timeframeMs } from '../market/timeframe.ts'
import { findMarket, listedAt, type Market, minuteNumber } from './markets.ts'
import {
  amountDecimals,
  at,
  quoteVolumeOf,
  type RecordedMinute,
  type Recording,
  recordedMinute,
  recordingOf,
  tradedBefore,
} from './recording.ts'

/** With Binance's fields; eight decimals. */
export type ReplayCandle = Candle &
  Readonly<{
    /** Last millisecond of the candle. */
    closeTime: Instant
    quoteVolume: Decimal
    trades: number
    takerVolume: Decimal
    takerQuoteVolume: Decimal
  }>

/** One market, one timeframe. */
export type Series = Readonly<{ market: Market; timeframe: Timeframe }>

/**
 * Closed candles that open in the range, ascending, as the exchange serves them. Throws RangeError for an unknown
 * symbol.
 */
export function closedCandles(
  symbol: string,
  timeframe: Timeframe,
  range: Range,
  now: Instant,
): ReplayCandle[] {
  const market = findMarket(symbol)
  if (!market) throw new RangeError(`not on the replay exchange: ${symbol}`)
  const lastClosed = plus(floorTo(timeframe, now), -1)
  const until = earlier(plus(range.to, -1), lastClosed)
  return [...candlesFrom({ market, timeframe }, { from: range.from, until }, now)]
}

/** Candles from `from` to `until` (inclusive), ascending; the open one as of now. */
export function* candlesFrom(
  { market, timeframe }: Series,
  { from, until }: Readonly<{ from: Instant; until: Instant }>,
  now: Instant,
): Generator<ReplayCandle> {
  const end = earlier(until, now)
  const start = ceilTo(timeframe, later(from, floorTo(timeframe, listedAt)))
  for (let openTime: Instant = start; openTime <= end; openTime = plus(openTime, timeframeMs[timeframe])) {
    const candle = candleAt({ market, timeframe }, openTime, now)
    if (candle) yield candle
  }
}

/** Candles up to `until` (inclusive), newest first. */
export function* candlesBackFrom(
  { market, timeframe }: Series,
  until: Instant,
  now: Instant,
): Generator<ReplayCandle> {
  const start = floorTo(timeframe, earlier(until, now))
  const oldest = floorTo(timeframe, listedAt)
  for (
    let openTime: Instant = start;
    openTime >= oldest;
    openTime = plus(openTime, -timeframeMs[timeframe])
  ) {
    const candle = candleAt({ market, timeframe }, openTime, now)
    if (candle) yield candle
  }
}

export function candleAt(
  { market, timeframe }: Series,
  openTime: Instant,
  now: Instant,
): ReplayCandle | undefined {
  const closeTime = plus(openTime, timeframeMs[timeframe] - 1)
  const values =
    timeframe === '1m' && closeTime < now && market.silent === undefined
      ? minuteValues(market, openTime)
      : candleValues(tradedIn(market, { from: openTime, to: plus(closeTime, 1) }, now), market)
  return values && { openTime, closeTime, ...values }
}

type CandleValues = Omit<ReplayCandle, 'openTime' | 'closeTime'>

const writtenMinutes = new Map<string, (CandleValues | undefined)[]>()

/** Formats each recorded minute once: a long backfill would mostly format numbers. */
function minuteValues(market: Market, openTime: Instant): CandleValues | undefined {
  const number = minuteNumber(openTime)
  if (number < 0) return undefined
  const written = writtenMinutes.get(market.symbol) ?? []
  writtenMinutes.set(market.symbol, written)
  const slot = number % recordingOf(market).slots
  written[slot] ??= candleValues(recordedMinute(market, openTime), market)
  return written[slot]
}

/** Trades in the range's minutes, including the running one so far. */
export function tradedIn(market: Market, { from, to }: Range, now: Instant): RecordedMinute | undefined {
  const running = floorTo('1m', now)
  const whole = wholeMinutes(market, { from, to: earlier(to, running) })
  const partial = from <= running && running < to ? partialMinute(market, running, now) : undefined
  return whole && partial ? joined(whole, partial) : (whole ?? partial)
}

function wholeMinutes(market: Market, range: Range): RecordedMinute | undefined {
  const [first, second] = subtract(range, market.silent ? [market.silent] : [])
    .map(({ from, to }) => minutesTraded(recordingOf(market), minuteNumber(from), minuteNumber(to)))
    .filter((traded) => traded !== undefined)
  return first && second ? joined(first, second) : first
}

/** Undefined if there is none since the listing. */
export function lastClosedMinute(
  market: Market,
  now: Instant,
): (RecordedMinute & { openTime: Instant }) | undefined {
  for (
    let openTime = plus(floorTo('1m', now), -minute);
    openTime >= listedAt;
    openTime = plus(openTime, -minute)
  ) {
    const recorded = recordedMinute(market, openTime)
    if (recorded) return { ...recorded, openTime }
  }
  return undefined
}

/** In minutes since the listing, half-open. */
function minutesTraded(recording: Recording, from: number, to: number): RecordedMinute | undefined {
  const { slots, present } = recording
  const first = Math.max(from, 0)
  let open = Number.NaN
  let close = Number.NaN
  let high = -Infinity
  let low = Infinity
  for (let number = first, slot = first % slots; number < to; number++, slot = (slot + 1) % slots) {
    if (present[slot] === 0) continue
    if (Number.isNaN(open)) open = at(recording.open, slot)
    close = at(recording.close, slot)
    high = Math.max(high, at(recording.high, slot))
    low = Math.min(low, at(recording.low, slot))
  }
  if (Number.isNaN(open)) return undefined
  const before = tradedBefore(recording, first)
  const after = tradedBefore(recording, to)
  return {
    open,
    high,
    low,
    close,
    volume: after.volume - before.volume,
    quoteVolume: after.quoteVolume - before.quoteVolume,
    trades: after.trades - before.trades,
  }
}

/** Moves from the recorded open to the end in proportion to time. */
function partialMinute(market: Market, openTime: Instant, now: Instant): RecordedMinute | undefined {
  const whole = recordedMinute(market, openTime)
  if (!whole) return undefined
  const elapsedMs = now - openTime
  const towards = (target: number) =>
    whole.open + Number((BigInt(target - whole.open) * BigInt(elapsedMs)) / BigInt(minute))
  const close = towards(whole.close)
  const volume = (whole.volume * BigInt(elapsedMs)) / BigInt(minute)
  return {
    open: whole.open,
    high: towards(whole.high),
    low: towards(whole.low),
    close,
    volume,
    quoteVolume: quoteVolumeOf(volume, close, market),
    trades: Math.floor((whole.trades * elapsedMs) / minute),
  }
}

const joined = (first: RecordedMinute, second: RecordedMinute): RecordedMinute => ({
  open: first.open,
  high: Math.max(first.high, second.high),
  low: Math.min(first.low, second.low),
  close: second.close,
  volume: first.volume + second.volume,
  quoteVolume: first.quoteVolume + second.quoteVolume,
  trades: first.trades + second.trades,
})

function candleValues(
  traded: RecordedMinute | undefined,
  { priceDecimals, volumeDecimals }: Market,
): CandleValues | undefined {
  if (!traded) return undefined
  return {
    open: amount(traded.open, priceDecimals),
    high: amount(traded.high, priceDecimals),
    low: amount(traded.low, priceDecimals),
    close: amount(traded.close, priceDecimals),
    volume: amount(traded.volume, volumeDecimals),
    quoteVolume: amount(traded.quoteVolume, amountDecimals),
    trades: traded.trades,
    // Not recorded: half each.
    takerVolume: amount(traded.volume / 2n, volumeDecimals),
    takerQuoteVolume: amount(traded.quoteVolume / 2n, amountDecimals),
  }
}

/** `-123` with 2 decimals → `-1.23000000`, like Binance. */
export function amount(units: number | bigint, decimals: number): Decimal {
  const sign = units < 0 ? '-' : ''
  const digits = String(units < 0 ? -units : units).padStart(decimals + 1, '0')
  const point = digits.length - decimals
  return toDecimal(`${sign}${digits.slice(0, point)}.${digits.slice(point).padEnd(amountDecimals, '0')}`)
}
