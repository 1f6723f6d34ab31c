import { isLosslessNumber } from 'lossless-json'
import { type Instant, second, toInstant } from '../../market/instant.ts'

/** Candles are read strictly, as another form may be another unit. */
type Form = 'number' | 'text' | 'either'

/** 13 digits; 10 would be seconds. */
export const readMilliseconds = (value: unknown, form: Form = 'either'): Instant | undefined =>
  readUnits(value, form, 1e12, 1)

/** 10 digits; 13 would be ms. */
export const readSeconds = (value: unknown, form: Form = 'either'): Instant | undefined =>
  readUnits(value, form, 1e9, second)

/** Requires the digit count that is valid until 2286. */
function readUnits(value: unknown, form: Form, least: number, unitMs: number): Instant | undefined {
  const isText = typeof value === 'string'
  if (form !== 'either' && isText !== (form === 'text')) return undefined
  const units = wholeNumber(value)
  return units >= least && units < 10 * least ? toInstant(units * unitMs) : undefined
}

/** NaN if invalid. */
function wholeNumber(value: unknown): number {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : Number.NaN
  const text = isLosslessNumber(value) ? value.value : value
  return typeof text === 'string' && /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN
}
