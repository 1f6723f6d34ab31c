import { type Instant, toInstant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'

/** Ranges as the text of a `tsmultirange`. */
export const multirangeText = (ranges: readonly Range[]): string =>
  `{${ranges.map(({ from, to }) => `[${toIso(from)},${toIso(to)})`).join(',')}}`

/** Bounds as SQL gives them with `extract(epoch …) * 1000`: text of a number of milliseconds. */
export type RangeRow = Readonly<{ from_ms: string; to_ms: string }>

export const toRange = ({ from_ms, to_ms }: RangeRow): Range => ({ from: fromMs(from_ms), to: fromMs(to_ms) })

/** An instant from `extract(epoch …) * 1000`. */
export function fromMs(text: string): Instant {
  if (text === null) throw new TypeError('an instant was expected, and the database has none')
  return toInstant(Math.round(Number(text)))
}
