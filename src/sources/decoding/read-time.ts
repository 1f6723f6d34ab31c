import { isLosslessNumber } from 'lossless-json'
import { type Instant, second, toInstant } from '../../market/instant.ts'

/** How a source writes its times in JSON. Candles are read strictly: another form may be another unit. */
type Form = 'number' | 'text' | 'either'

/** A time in milliseconds since 1970: thirteen digits, since ten would be seconds. */
export const readMilliseconds = (value: unknown, form: Form = 'either'): Instant | undefined =>
  readUnits(value, form, 1e12, 1)

/** A time in seconds since 1970: ten digits, since thirteen would be milliseconds. */
export const readSeconds = (value: unknown, form: Form = 'either'): Instant | undefined =>
  readUnits(value, form, 1e9, second)

/** Times from `least` on, in units that have as many digits until the year 2286. */
function readUnits(value: unknown, form: Form, least: number, unitMs: number): Instant | undefined {
  const isText = typeof value === 'string'
  if (form !== 'either' && isText !== (form === 'text')) return undefined
  const units = wholeNumber(value)
  return units >= least && units < 10 * least ? toInstant(units * unitMs) : undefined
}

/** NaN where the value is none. */
function wholeNumber(value: unknown): number {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : Number.NaN
  const text = isLosslessNumber(value) ? value.value : value
  return typeof text === 'string' && /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN
}
