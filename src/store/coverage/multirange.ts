import { type SQL, sql } from 'drizzle-orm'
import { type Instant, toInstant, toIso } from '../../market/instant.ts'
import { type AlignedRange, type Range, toAlignedRange } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'

/** Ranges as the text of a `tsmultirange`; whole candles only. */
export const multirangeText = (ranges: readonly AlignedRange[]): string => spansText(ranges)

export const spansText = (ranges: readonly Range[]): string =>
  `{${ranges.map(({ from, to }) => `[${toIso(from)},${toIso(to)})`).join(',')}}`

/** Bounds from `extract(epoch …) * 1000`: milliseconds as text. */
export type RangeRow = Readonly<{ from_ms: string; to_ms: string }>

export const toRange = ({ from_ms, to_ms }: RangeRow): Range => ({ from: fromMs(from_ms), to: fromMs(to_ms) })

export function fromMs(text: string): Instant {
  if (text === null) throw new TypeError('an instant was expected, and the database has none')
  return toInstant(Math.round(Number(text)))
}

export type JsonRanges = readonly (readonly [number, number])[]

/** A multirange as a JSON column, ascending; null if empty. */
export const rangesJson = (multirange: SQL): SQL => sql`(
  select jsonb_agg(jsonb_build_array(extract(epoch from lower(part)) * 1000, extract(epoch from upper(part)) * 1000) order by part)
  from unnest(${multirange}) as part
)`

export const toRanges = (pairs: JsonRanges | null): Range[] =>
  (pairs ?? []).map(([from, to]) => ({ from: toInstant(Math.round(from)), to: toInstant(Math.round(to)) }))

/** Parses a `tsmultirange`, ascending. */
export const parseMultirange = (text: string): Range[] =>
  [...text.matchAll(/[[(]"?([^",]+)"?,"?([^",)\]]+)"?[)\]]/g)].map(([, from = '', to = '']) => ({
    from: parseTimestamp(from),
    to: parseTimestamp(to),
  }))

const parseTimestamp = (text: string): Instant => toInstant(Date.parse(`${text.replace(' ', 'T')}Z`))

/** Throws RangeError for ranges that are not aligned to the timeframe. */
export const toAlignedRanges = (timeframe: Timeframe, pairs: JsonRanges | null): AlignedRange[] =>
  toRanges(pairs).map((range) => toAlignedRange(timeframe, range))
