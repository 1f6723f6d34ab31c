import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Instant } from '../market/instant.ts'
import { packageDir } from '../package-dir.ts'
import { type Market, minuteNumber } from './markets.ts'

/** A recording in minutes, played in a loop, in integer ticks and lot steps for exact sums. */
export type Recording = Readonly<{
  slots: number
  /** 0 where the exchange had no candle. */
  present: Uint8Array
  open: Float64Array
  high: Float64Array
  low: Float64Array
  close: Float64Array
  /** Cumulative; one longer than the slots. */
  volumeBefore: readonly bigint[]
  quoteVolumeBefore: readonly bigint[]
  tradesBefore: Float64Array
}>

/** Ticks, lot steps; quote volume in 1e-8. */
export type RecordedMinute = Readonly<{
  open: number
  high: number
  low: number
  close: number
  volume: bigint
  quoteVolume: bigint
  trades: number
}>

/** Binance's decimals. */
export const amountDecimals = 8

const opened = new Map<string, Recording>()

export function recordingOf(market: Market): Recording {
  const known = opened.get(market.symbol)
  if (known) return known
  const file = new URL(`src/replay/recordings/${market.recording}`, packageDir)
  const recording = parseRecording(gunzipSync(readFileSync(file)).toString('latin1'), market)
  opened.set(market.symbol, recording)
  return recording
}

/** Undefined in an outage and before the listing. */
export function recordedMinute(market: Market, openTime: Instant): RecordedMinute | undefined {
  const number = minuteNumber(openTime)
  const recording = recordingOf(market)
  const slot = number % recording.slots
  const isSilent =
    market.silent !== undefined && openTime >= market.silent.from && openTime < market.silent.to
  return number < 0 || isSilent || recording.present[slot] === 0 ? undefined : minuteAt(recording, slot)
}

/** Cumulative since the listing. */
export function tradedBefore(recording: Recording, number: number): Traded {
  const rounds = Math.floor(number / recording.slots)
  const slot = number - rounds * recording.slots
  const { volumeBefore, quoteVolumeBefore, tradesBefore, slots } = recording
  return {
    volume: BigInt(rounds) * at(volumeBefore, slots) + at(volumeBefore, slot),
    quoteVolume: BigInt(rounds) * at(quoteVolumeBefore, slots) + at(quoteVolumeBefore, slot),
    trades: rounds * at(tradesBefore, slots) + at(tradesBefore, slot),
  }
}

export type Traded = Readonly<{ volume: bigint; quoteVolume: bigint; trades: number }>

/** Throws RangeError if missing. */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const value = list[index]
  if (value === undefined) throw new RangeError(`no element ${index} of ${list.length}`)
  return value
}

function minuteAt(recording: Recording, slot: number): RecordedMinute {
  const before = tradedBefore(recording, slot)
  const after = tradedBefore(recording, slot + 1)
  return {
    open: at(recording.open, slot),
    high: at(recording.high, slot),
    low: at(recording.low, slot),
    close: at(recording.close, slot),
    volume: after.volume - before.volume,
    quoteVolume: after.quoteVolume - before.quoteVolume,
    trades: after.trades - before.trades,
  }
}

function parseRecording(text: string, market: Market): Recording {
  const rows = text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))
  const times = rows.map((row) => Number(row[0]))
  const firstTime = at(times, 0)
  // Shortest distance; longer ones are gaps.
  const step = times.slice(1).reduce((least, time, i) => Math.min(least, time - at(times, i)), Infinity)
  const slots = (at(times, times.length - 1) - firstTime) / step + 1
  const recording = {
    slots,
    present: new Uint8Array(slots),
    open: new Float64Array(slots),
    high: new Float64Array(slots),
    low: new Float64Array(slots),
    close: new Float64Array(slots),
    volumeBefore: new Array<bigint>(slots + 1).fill(0n),
    quoteVolumeBefore: new Array<bigint>(slots + 1).fill(0n),
    tradesBefore: new Float64Array(slots + 1),
  }
  for (const [index, row] of rows.entries()) {
    const slot = (at(times, index) - firstTime) / step
    const price = (column: number) => Number(toUnits(at(row, column), market.priceDecimals))
    const volume = toUnits(at(row, 5), market.volumeDecimals)
    recording.present[slot] = 1
    recording.open[slot] = price(1)
    recording.high[slot] = price(2)
    recording.low[slot] = price(3)
    recording.close[slot] = price(4)
    recording.volumeBefore[slot + 1] = volume
    recording.quoteVolumeBefore[slot + 1] = quoteVolumeOf(volume, price(4), market)
    recording.tradesBefore[slot + 1] = tradesOf(volume)
  }
  for (let slot = 1; slot <= slots; slot++) {
    recording.volumeBefore[slot] = at(recording.volumeBefore, slot) + at(recording.volumeBefore, slot - 1)
    recording.quoteVolumeBefore[slot] =
      at(recording.quoteVolumeBefore, slot) + at(recording.quoteVolumeBefore, slot - 1)
    recording.tradesBefore[slot] = at(recording.tradesBefore, slot) + at(recording.tradesBefore, slot - 1)
  }
  return recording
}

/** Volume × close, rounded half up to eight decimals. */
export function quoteVolumeOf(volume: bigint, closeTicks: number, market: Market): bigint {
  const product = volume * BigInt(closeTicks)
  const excess = market.volumeDecimals + market.priceDecimals - amountDecimals
  if (excess <= 0) return product * 10n ** BigInt(-excess)
  const divisor = 10n ** BigInt(excess)
  return (product + divisor / 2n) / divisor
}

/** Not recorded: a deterministic number. */
const tradesOf = (volume: bigint): number => (volume === 0n ? 0 : 1 + Number(volume % 997n))

/** `0.00000105` → 105 at eight decimals. Throws RangeError if digits would be lost. */
function toUnits(text: string, decimals: number): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  if (/[1-9]/.test(fraction.slice(decimals)))
    throw new RangeError(`more than ${decimals} decimals in the recording: ${text}`)
  return BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, '0'))
}
