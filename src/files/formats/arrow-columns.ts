import type { Data, DataType } from 'apache-arrow'
import { Misconfigured } from '../../fault.ts'
import type { ArchiveColumn } from '../../store/lifecycle/archives/archive-content.ts'
import type { Arrow } from './arrow-library.ts'

type Texts = readonly (string | null)[]

/** Arrow type, and values from PostgreSQL texts. */
export type ArrowColumn = Readonly<{ type: DataType; dataOf(texts: Texts): Data }>

const dayMs = 86_400_000

export function arrowColumn(arrow: Arrow, { name, type }: ArchiveColumn): ArrowColumn {
  const numeric = /^numeric\((\d+),(\d+)\)$/.exec(type)
  if (numeric) return decimalColumn(arrow, Number(numeric[1]), Number(numeric[2]))
  if (type.startsWith('timestamp')) return timestampColumn(arrow, 'micros')
  if (type === 'date') {
    const days = new arrow.DateDay()
    return {
      type: days,
      dataOf: (texts) =>
        arrow.makeData({ type: days, ...present(texts), data: Int32Array.from(texts, daysSince1970) }),
    }
  }
  if (type === 'integer') {
    const int = new arrow.Int32()
    return {
      type: int,
      dataOf: (texts) =>
        arrow.makeData({ type: int, ...present(texts), data: Int32Array.from(texts, Number) }),
    }
  }
  if (type === 'text' || type.startsWith('character varying')) return textColumn(arrow)
  throw new Misconfigured(`column ${name} is of the type ${type}, which no Feather file can hold`)
}

const daysSince1970 = (text: string | null): number =>
  text === null ? 0 : Date.parse(`${text}T00:00:00Z`) / dayMs

/** A timestamp in UTC. */
export function timestampColumn(arrow: Arrow, unit: 'micros' | 'millis'): ArrowColumn {
  const type =
    unit === 'micros' ? new arrow.TimestampMicrosecond('UTC') : new arrow.TimestampMillisecond('UTC')
  const toValue = (text: string | null): bigint => {
    const micros = BigInt(text ?? 0)
    return unit === 'micros' ? micros : micros / 1_000n
  }
  return {
    type,
    dataOf: (texts) => arrow.makeData({ type, ...present(texts), data: BigInt64Array.from(texts, toValue) }),
  }
}

/** Doubles, for readers that compute with nothing else. */
export function doubleColumn(arrow: Arrow): ArrowColumn {
  const type = new arrow.Float64()
  return {
    type,
    dataOf: (texts) => arrow.makeData({ type, ...present(texts), data: Float64Array.from(texts, Number) }),
  }
}

function decimalColumn(arrow: Arrow, precision: number, scale: number): ArrowColumn {
  const type = new arrow.Decimal(scale, precision, 128)
  return {
    type,
    dataOf: (texts) => {
      const data = new Uint32Array(4 * texts.length)
      for (const [row, text] of texts.entries()) if (text !== null) writeDecimal(data, 4 * row, text)
      return arrow.makeData({ type, ...present(texts), data })
    },
  }
}

/** Fast path: a double holds these exactly. */
const quickDigits = 15

const wordBits = 32n
const word = 0xffff_ffffn

/** Two's complement, least significant word first. */
function writeDecimal(words: Uint32Array, at: number, text: string): void {
  const digits = text.replace('.', '')
  if (digits.length <= quickDigits && !digits.startsWith('-')) {
    const unscaled = Number(digits)
    words[at] = unscaled >>> 0
    words[at + 1] = Math.floor(unscaled / 4_294_967_296)
    return
  }
  let rest = BigInt(digits)
  for (let place = at; place < at + 4; place += 1) {
    words[place] = Number(rest & word)
    rest >>= wordBits
  }
}

function textColumn(arrow: Arrow): ArrowColumn {
  const type = new arrow.Utf8()
  return {
    type,
    dataOf: (texts) => {
      // Texts repeat.
      const known = new Map<string, Buffer>()
      const bytes = texts.map((text) => {
        const encoded = known.get(text ?? '') ?? Buffer.from(text ?? '')
        known.set(text ?? '', encoded)
        return encoded
      })
      const valueOffsets = new Int32Array(texts.length + 1)
      for (const [row, { length }] of bytes.entries())
        valueOffsets[row + 1] = (valueOffsets[row] ?? 0) + length
      return arrow.makeData({ type, ...present(texts), valueOffsets, data: Buffer.concat(bytes) })
    },
  }
}

/** Length and validity bitmap. */
function present(texts: Texts) {
  const nullBitmap = new Uint8Array(Math.ceil(texts.length / 8))
  let nullCount = 0
  for (const [row, text] of texts.entries()) {
    if (text === null) nullCount += 1
    else nullBitmap[row >> 3] = (nullBitmap[row >> 3] ?? 0) | (1 << (row & 7))
  }
  return { length: texts.length, nullCount, ...(nullCount > 0 && { nullBitmap }) }
}
