import type { Decimal } from '../market/decimal.ts'
import { type Instant, toInstant } from '../market/instant.ts'

// https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". Reading it costs the server half of what text
// does, and what it writes can be compared byte by byte with what would be written.

/** What comes before the rows: the signature, no flags, no extension. */
export const binaryHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')

/** What comes after them: a row of -1 fields. */
export const binaryTrailer = Buffer.from([0xff, 0xff])

/** A field of text with its length before it. */
export function textField(value: string): Buffer {
  const text = Buffer.from(value)
  const field = Buffer.allocUnsafe(4 + text.length)
  field.writeInt32BE(text.length)
  text.copy(field, 4)
  return field
}

/** A field of an UUID with its length before it. */
export function uuidField(uuid: string): Buffer {
  const field = Buffer.alloc(20)
  field.writeInt32BE(16)
  field.write(uuid.replaceAll('-', ''), 4, 'hex')
  return field
}

/** A field of a timestamp with its length before it. */
export function timestampField(instant: Instant): Buffer {
  const field = Buffer.allocUnsafe(timestampLength)
  writeTimestamp(field, 0, instant)
  return field
}

/** PostgreSQL counts microseconds since 2000. */
const epoch2000 = Date.UTC(2000, 0)
const two32 = 2 ** 32

/** How long a field of a timestamp is. */
export const timestampLength = 12

/** Writes a field of a timestamp and returns where it ends. */
export function writeTimestamp(target: Buffer, at: number, instant: Instant): number {
  // At most 2^63 by its type, and less than 2^53 in any year with four digits: a number holds it exactly.
  const micros = (instant - epoch2000) * 1_000
  const high = Math.floor(micros / two32)
  target.writeInt32BE(8, at)
  target.writeInt32BE(high, at + 4)
  return target.writeUInt32BE(micros - high * two32, at + 8)
}

/** Reads what stands in a field of a timestamp, behind its length. */
export const readTimestamp = (source: Buffer, at: number): Instant =>
  toInstant((source.readInt32BE(at) * two32 + source.readUInt32BE(at + 4)) / 1_000 + epoch2000)

const [minus, zero] = [45, 48]
const negative = 0x40
const digitsAt = 12

/** No field of this number is longer. */
export const longestNumeric = (value: Decimal): number => digitsAt + 4 + value.length

/**
 * Writes a field of a number as the server itself would, for a column that keeps `scale` digits after the point: digits
 * to the base of 10,000 without the zeros at either end. Returns where it ends.
 */
export function writeNumeric(target: Buffer, at: number, value: Decimal, scale: number): number {
  const first = value.charCodeAt(0) === minus ? 1 : 0
  const point = value.indexOf('.')
  const wholeLength = (point === -1 ? value.length : point) - first
  let weight = Math.ceil(wholeLength / 4) - 1
  const digits = at + digitsAt
  let next = digits
  let end = digits
  let group = 0
  let left = wholeLength % 4 || 4
  for (let index = first; index <= value.length; index += 1) {
    // Groups meet at the point, so that the last one alone may be short of digits.
    if (index === point) continue
    if (index === value.length) {
      if (left === 4) break
      group *= 10 ** left
      left = 0
    } else {
      group = group * 10 + value.charCodeAt(index) - zero
      left -= 1
    }
    if (left > 0) continue
    if (group === 0 && next === digits) weight -= 1
    else {
      target[next] = group >> 8
      target[next + 1] = group & 255
      next += 2
      if (group !== 0) end = next
    }
    group = 0
    left = 4
  }
  const places = point === -1 ? 0 : value.length - point - 1
  writeNumericHead(target, at, (end - digits) / 2, weight, first === 1, Math.max(scale, places))
  return end
}

/** Byte by byte: it is the hottest line of a load, and each call of Buffer checks its bounds. */
function writeNumericHead(
  target: Buffer,
  at: number,
  digitCount: number,
  weight: number,
  isNegative: boolean,
  scale: number,
): void {
  const isZero = digitCount === 0
  const length = 8 + 2 * digitCount
  target[at] = 0
  target[at + 1] = 0
  target[at + 2] = length >> 8
  target[at + 3] = length & 255
  target[at + 4] = digitCount >> 8
  target[at + 5] = digitCount & 255
  target[at + 6] = isZero ? 0 : weight >> 8
  target[at + 7] = isZero ? 0 : weight & 255
  target[at + 8] = isNegative && !isZero ? negative : 0
  target[at + 9] = 0
  target[at + 10] = scale >> 8
  target[at + 11] = scale & 255
}
