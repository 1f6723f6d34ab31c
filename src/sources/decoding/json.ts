import { isLosslessNumber, parse as parseLossless } from 'lossless-json'
import { Malformed } from '../../fault.ts'
import { type Decimal, toDecimal } from '../../market/decimal.ts'

/** Parses an answer whose amounts are JSON strings. Throws Malformed. */
export function parseJson(source: string, text: string): unknown {
  return guarded(source, text, JSON.parse)
}

/** Numbers become LosslessNumbers that keep all digits. Throws Malformed. */
export function parseLosslessJson(source: string, text: string): unknown {
  return guarded(source, text, (body) => parseLossless(body))
}

/** Numbers that a double would change become text. Throws Malformed. */
export function parseEitherJson(source: string, text: string): unknown {
  return guarded(source, text, (body) => parseLossless(body, null, asWritten))
}

const asWritten = (text: string): number | string => (String(Number(text)) === text ? Number(text) : text)

function guarded(source: string, text: string, parse: (body: string) => unknown): unknown {
  try {
    return parse(text)
  } catch {
    // Not the parser's message: it quotes the body, and a body may be anything.
    throw new Malformed(`${source} sent ${text.length} characters that are not whole JSON`)
  }
}

/** Undefined unless a JSON string or lossless number. */
export function readDecimal(value: unknown): Decimal | undefined {
  const text = isLosslessNumber(value) ? value.value : value
  if (typeof text !== 'string') return undefined
  try {
    return toDecimal(text)
  } catch {
    return undefined // the caller names the field
  }
}
