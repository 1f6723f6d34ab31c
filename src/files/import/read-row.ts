import type { CandleRow } from '../../market/candle.ts'
import { readCandle } from '../../sources/decoding/candle-rows.ts'
import type { Places } from './column-names.ts'
import { readFileTime } from './file-rows.ts'

/** A flaw for the first unreadable field. */
export function readRow(raw: unknown, fields: readonly (string | undefined)[], places: Places): CandleRow {
  const openTime = readFileTime(fields[places.time] ?? '')
  if (openTime === undefined) return { raw, flaw: 'the time cannot be read' }
  const { open, high, low, close, volume } = places
  return readCandle(raw, openTime, {
    open: fields[open]?.trim(),
    high: fields[high]?.trim(),
    low: fields[low]?.trim(),
    close: fields[close]?.trim(),
    volume: fields[volume]?.trim(),
  })
}
