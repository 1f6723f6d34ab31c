import { createHash } from 'node:crypto'
import { escapeLiteral } from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { Series } from '../coverage.ts'
import type { Transaction } from '../transaction.ts'

/** A checksum of candles in open time order. */
export type CandleDigest = Readonly<{ candles: number; sha256: string }>

/**
 * The COPY statement of the canonical form: one line a candle, ISO 8601 open time, numbers without trailing zeros. COPY
 * takes no parameters.
 */
export const canonicalCopy = ({ coinId, timeframe }: Omit<Series, 'source'>, { from, to }: Range): string =>
  `copy (
  select concat_ws(',', to_char(timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    trim_scale(open), trim_scale(high), trim_scale(low), trim_scale(close), trim_scale(volume))
  from ohlcv_data
  where coin_id = ${escapeLiteral(coinId)} and timeframe = ${escapeLiteral(timeframe)}
    and timestamp >= ${timestampText(from)} and timestamp < ${timestampText(to)}
  order by timestamp
) to stdout`

/** Without a zone, like the column. */
const timestampText = (instant: Instant): string =>
  escapeLiteral(
    toIso(instant)
      .replace('T', ' ')
      .replace(/\.000Z$/, ''),
  )

/** The SHA-256 of the canonical form, streamed: memory does not grow with the range. */
export async function digestCandles(
  { client }: Transaction,
  series: Omit<Series, 'source'>,
  range: Range,
): Promise<CandleDigest> {
  const hash = createHash('sha256')
  let candles = 0
  const stream = client.query(copyTo(canonicalCopy(series, range)))
  for await (const piece of stream) {
    hash.update(piece)
    candles += linesIn(piece)
  }
  return { candles, sha256: hash.digest('hex') }
}

function linesIn(piece: Buffer): number {
  let lines = 0
  for (let at = piece.indexOf('\n'); at !== -1; at = piece.indexOf('\n', at + 1)) lines += 1
  return lines
}
