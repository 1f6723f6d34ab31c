declare const decimal: unique symbol

/** Exact decimal text (`-12.340`) without exponent or leading zeros; never converted to a double. */
export type Decimal = string & { readonly [decimal]: true }

const plainForm = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/
const anyForm = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,3}))?$/i

/** Accepts exponents (`1.8E-4`). Throws RangeError. */
export function toDecimal(text: string): Decimal {
  if (plainForm.test(text)) return text as Decimal
  const parts = anyForm.exec(text)
  if (!parts) throw new RangeError(`not a decimal: ${text.slice(0, 60)}`)
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts
  return (sign + shiftPoint(whole, fraction, Number(exponent))) as Decimal
}

function shiftPoint(whole: string, fraction: string, places: number): string {
  const digits = whole + fraction
  const point = whole.length + places
  const padded = point <= 0 ? '0'.repeat(1 - point) + digits : digits.padEnd(point, '0')
  const at = Math.max(point, 1)
  const integer = padded.slice(0, at).replace(/^0+(?=\d)/, '')
  return at < padded.length ? `${integer}.${padded.slice(at)}` : integer
}

const minus = 45

export const isNegative = (value: Decimal): boolean => value.charCodeAt(0) === minus && !isZero(value)

const isUnsigned = (value: Decimal): boolean => value.charCodeAt(0) !== minus

export const isZero = (value: Decimal): boolean => !/[1-9]/.test(value)

/** Like a sort comparator; `1.5` equals `1.50`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a === b) return 0
  // Fast path: equal forms compare as texts.
  if (a.length === b.length && isUnsigned(a) && isUnsigned(b) && a.indexOf('.') === b.indexOf('.'))
    return a < b ? -1 : 1
  const negativeA = isNegative(a)
  if (negativeA !== isNegative(b)) return negativeA ? -1 : 1
  const order = compareMagnitudes(a.startsWith('-') ? a.slice(1) : a, b.startsWith('-') ? b.slice(1) : b)
  return negativeA ? -order : order
}

function compareMagnitudes(a: string, b: string): number {
  const [wholeA, wholeB] = [wholeLength(a), wholeLength(b)]
  if (wholeA !== wholeB) return wholeA - wholeB
  // Aligned digits compare as texts.
  const length = Math.max(a.length, b.length)
  const textA = a.length === length ? a : padded(a, length)
  const textB = b.length === length ? b : padded(b, length)
  return textA === textB ? 0 : textA < textB ? -1 : 1
}

function wholeLength(value: string): number {
  const point = value.indexOf('.')
  return point === -1 ? value.length : point
}

/** Pads the fraction with zeros. */
const padded = (value: string, length: number): string =>
  (value.includes('.') ? value : `${value}.`).padEnd(length, '0')

/** Exact; keeps the longer fraction. */
export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const places = Math.max(placesOf(a), placesOf(b))
  const sum = inUnits(a, places) + inUnits(b, places)
  const digits = (sum < 0n ? -sum : sum).toString().padStart(places + 1, '0')
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`
  return (sum < 0n ? `-${text}` : text) as Decimal
}

/** Digits after the point. */
export function placesOf(value: Decimal): number {
  const point = value.indexOf('.')
  return point === -1 ? 0 : value.length - point - 1
}

/** As an integer of 10^-places. */
export const inUnits = (value: Decimal, places: number): bigint =>
  BigInt(value.replace('.', '') + '0'.repeat(places - placesOf(value)))

/** `numeric(precision, scale)` */
export type DecimalType = Readonly<{ precision: number; scale: number }>

/** Quick check; false may still fit. */
export function isFit(value: Decimal, { precision, scale }: DecimalType): boolean {
  const point = value.indexOf('.')
  const whole = point === -1 ? value.length : point
  return whole <= precision - scale && value.length - whole <= scale + 1
}

/** `vanishes`: rounds to zero. */
export type Fit =
  | Readonly<{ kind: 'exact'; value: Decimal }>
  | Readonly<{ kind: 'rounded'; value: Decimal }>
  | Readonly<{ kind: 'overflows' }>
  | Readonly<{ kind: 'vanishes' }>

/** Rounds half away from zero, like PostgreSQL, and reports lost digits. */
export function fitTo(value: Decimal, { precision, scale }: DecimalType): Fit {
  const point = value.indexOf('.')
  const fractionLength = point === -1 ? 0 : value.length - point - 1
  if (fractionLength <= scale) {
    return wholeDigits(value) > precision - scale ? { kind: 'overflows' } : { kind: 'exact', value }
  }
  const cut = point + 1 + scale
  const kept = scale === 0 ? value.slice(0, point) : value.slice(0, cut)
  const lost = value.slice(cut)
  if (!/[1-9]/.test(lost)) {
    return wholeDigits(value) > precision - scale
      ? { kind: 'overflows' }
      : { kind: 'exact', value: kept as Decimal }
  }
  const rounded = lost.charAt(0) >= '5' ? awayFromZero(kept, scale) : (kept as Decimal)
  if (isZero(rounded)) return { kind: 'vanishes' }
  return wholeDigits(rounded) > precision - scale
    ? { kind: 'overflows' }
    : { kind: 'rounded', value: rounded }
}

function wholeDigits(value: string): number {
  const start = value.startsWith('-') ? 1 : 0
  const point = value.indexOf('.')
  const length = (point === -1 ? value.length : point) - start
  return length === 1 && value[start] === '0' ? 0 : length
}

function awayFromZero(kept: string, scale: number): Decimal {
  const sign = kept.startsWith('-') ? '-' : ''
  const digits = (BigInt(kept.slice(sign.length).replace('.', '')) + 1n).toString().padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return (sign + text) as Decimal
}
