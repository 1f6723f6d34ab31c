import { mostPlaces, mostWholeDigits } from '../../market/plain-candle.ts'

const point = 46
const zero = 48

const placesToUnits = [1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1]

/**
 * Parses plain numbers from bytes without creating strings, the main cost for large answers. Stops at anything unusual.
 */
export class PlainReader {
  /** Current offset. */
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.at = at
  }

  /** Skips these bytes if they come next. */
  follows(first: number, second?: number): boolean {
    if (this.#bytes[this.at] !== first) return false
    if (second === undefined) {
      this.at += 1
      return true
    }
    if (this.#bytes[this.at + 1] !== second) return false
    this.at += 2
    return true
  }

  digits(): number {
    const bytes = this.#bytes
    let { at } = this
    let value = 0
    for (;;) {
      const digit = (bytes[at] ?? 0) - zero
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      at += 1
    }
    this.at = at
    return value
  }

  /** Stores whole part and fraction, like a plain candle. */
  number(target: Float64Array, place: number): boolean {
    const from = this.at
    const whole = this.digits()
    const length = this.at - from
    if (length === 0 || length > mostWholeDigits || (length > 1 && this.#bytes[from] === zero)) return false
    target[place] = whole
    target[place + 1] = 0
    if (!this.follows(point)) return true
    const fractionFrom = this.at
    const fraction = this.digits()
    const places = this.at - fractionFrom
    if (places === 0 || places > mostPlaces) return false
    target[place + 1] = fraction * (placesToUnits[places] ?? 0)
    return true
  }

  /** Skips an amount; false if there is none. */
  skipAmount(): boolean {
    const bytes = this.#bytes
    const from = this.at
    let at = from
    for (;;) {
      const byte = bytes[at] ?? 0
      if (byte !== point && (byte < zero || byte > zero + 9)) break
      at += 1
    }
    this.at = at
    return at > from
  }
}
