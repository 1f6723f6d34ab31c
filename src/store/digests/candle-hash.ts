import type { Instant } from '../../market/instant.ts'
import { viewOf } from '../candles/binary-copy.ts'
import type { CandleRows } from '../candles/candle-rows.ts'

/**
 * Order-independent checksum: row count and sums of two 32-bit hashes. Loads add to it incrementally. Detects damage,
 * not tampering.
 */
export type CandleSums = Readonly<{ rows: number; high: number; low: number }>

export const noCandles: CandleSums = { rows: 0, high: 0, low: 0 }

export const addSums = (a: CandleSums, b: CandleSums): CandleSums => ({
  rows: a.rows + b.rows,
  high: a.high + b.high,
  low: a.low + b.low,
})

export const sameSums = (a: CandleSums, b: CandleSums): boolean =>
  a.rows === b.rows && a.high === b.high && a.low === b.low

export class CandleHashes {
  #rows = 0
  #high = 0
  #low = 0

  /** Hashes the bytes of COPY's binary format: equal decimals have equal bytes. */
  add(view: DataView, from: number, to: number, openTime: Instant, sign: 1 | -1 = 1): void {
    let a = (openTime % 4_294_967_296) ^ 0x9e3779b9
    let b = (openTime / 4_294_967_296) ^ 0x85ebca6b
    let at = from
    for (; at + 4 <= to; at += 4) {
      const word = view.getInt32(at)
      a = Math.imul(a ^ word, 0xcc9e2d51)
      a ^= a >>> 15
      b = Math.imul((b + word) ^ a, 0x1b873593)
    }
    for (; at < to; at += 1) a = Math.imul(a ^ view.getUint8(at), 0xcc9e2d51)
    this.#high += sign * finished(a ^ b)
    this.#low += sign * finished(Math.imul(b, 0x2c1b3c6d) + a)
    this.#rows += sign
  }

  sums(): CandleSums {
    return { rows: this.#rows, high: this.#high, low: this.#low }
  }
}

/** The finalizer of MurmurHash3. */
function finished(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

export function addRows(
  target: Map<Instant, CandleHashes>,
  bucketOf: (openTime: Instant) => Instant,
  { openTimes, bytes, offsets, valuesAt }: CandleRows,
  from = 0,
  to: number = openTimes.length,
): void {
  const view = viewOf(bytes)
  let bucket: Instant | undefined
  let hashes: CandleHashes | undefined
  for (let index = from; index < to; index += 1) {
    const openTime = openTimes[index]
    if (openTime === undefined) throw new RangeError('there are not so many candles')
    const own = bucketOf(openTime)
    if (own !== bucket || !hashes) {
      bucket = own
      hashes = hashesOf(target, own)
    }
    hashes.add(view, (offsets[index] ?? 0) + valuesAt, offsets[index + 1] ?? 0, openTime)
  }
}

export function hashesOf(target: Map<Instant, CandleHashes>, bucket: Instant): CandleHashes {
  const known = target.get(bucket)
  if (known) return known
  const made = new CandleHashes()
  target.set(bucket, made)
  return made
}
