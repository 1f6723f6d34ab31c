import { hashOfNull } from '../../../store/lifecycle/archives/archive-content.ts'

/**
 * Sums `hashtextextended(text, 0)` like PostgreSQL. A wrong hash could only reject a good archive.
 * https://burtleburtle.net/bob/c/lookup3.c
 */
export class HashSum {
  #high = 0
  #low = 0
  #count = 0
  #sum = 0n
  /** Keys are sorted, so texts repeat. */
  #lastText: string | undefined
  readonly #last = { high: 0, low: 0 }

  add(text: string | null): void {
    if (text === null) {
      this.#sum += BigInt(hashOfNull)
      return
    }
    if (text !== this.#lastText) {
      hashInto(this.#last, text)
      this.#lastText = text
    }
    this.#high += this.#last.high
    this.#low += this.#last.low
    this.#count += 1
    if (this.#count === 1_000_000) this.#carry()
  }

  /** PostgreSQL's numeric text. */
  total(): string {
    this.#carry()
    return String(this.#sum)
  }

  #carry(): void {
    this.#sum += BigInt(this.#high) * 4_294_967_296n + BigInt(this.#low)
    this.#high = 0
    this.#low = 0
    this.#count = 0
  }
}

type Hash = { high: number; low: number }

let scratch = Buffer.alloc(4_096)

function hashInto(hash: Hash, text: string): void {
  if (text.length * 3 > scratch.length) scratch = Buffer.alloc(text.length * 3)
  const length = scratch.write(text, 0, 'utf8')
  hashBytes(hash, scratch, length)
}

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by))

function hashBytes(hash: Hash, bytes: Buffer, length: number): void {
  let a = (0x9e3779b9 + length + 3_923_095) | 0
  let b = a
  let c = a
  let at = 0
  for (; length - at >= 12; at += 12) {
    a = (a + bytes.readInt32LE(at)) | 0
    b = (b + bytes.readInt32LE(at + 4)) | 0
    c = (c + bytes.readInt32LE(at + 8)) | 0
    a = (a - c) ^ rotate(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ rotate(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  // The last 11 bytes; c's lowest byte holds the length.
  for (let index = 0; at + index < length; index += 1) {
    const byte = bytes[at + index] ?? 0
    if (index < 4) a = (a + (byte << (8 * index))) | 0
    else if (index < 8) b = (b + (byte << (8 * (index - 4)))) | 0
    else c = (c + (byte << (8 * (index - 7)))) | 0
  }
  c = (c ^ b) - rotate(b, 14)
  a = (a ^ c) - rotate(c, 11)
  b = (b ^ a) - rotate(a, 25)
  c = (c ^ b) - rotate(b, 16)
  a = (a ^ c) - rotate(c, 4)
  b = (b ^ a) - rotate(a, 14)
  c = (c ^ b) - rotate(b, 24)
  hash.high = b | 0
  hash.low = c >>> 0
}
