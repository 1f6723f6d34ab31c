import { escapeLiteral } from 'pg'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { binaryHeader, readTimestamp, viewOf } from '../candles/binary-copy.ts'
import { copyOut } from '../candles/copy.ts'
import type { Series } from '../coverage.ts'
import type { Transaction } from '../transaction.ts'
import { bucketsOf } from './buckets.ts'
import { type CandleHashes, type CandleSums, hashesOf } from './candle-hash.ts'

const valueCount = 5

/** COPY takes no parameters. */
export async function countCandles(
  tx: Transaction,
  { coinId, timeframe }: Omit<Series, 'source'>,
  { from, to }: Range,
): Promise<ReadonlyMap<Instant, CandleSums>> {
  const bytes = await copyOut(
    tx,
    `select timestamp, open, high, low, close, volume from ohlcv_data
    where coin_id = ${escapeLiteral(coinId)} and timeframe = ${escapeLiteral(timeframe)}
      and timestamp >= timestamp '${toIso(from)}' and timestamp < timestamp '${toIso(to)}'`,
  )
  return countRows(bytes, timeframe)
}

function countRows(bytes: Buffer, timeframe: Timeframe): ReadonlyMap<Instant, CandleSums> {
  const view = viewOf(bytes)
  const bucketOf = bucketsOf(timeframe)
  const found = new Map<Instant, CandleHashes>()
  let at = binaryHeader.length
  while (view.getInt16(at) !== -1) {
    const valuesAt = at + 2 + 12
    let end = valuesAt
    for (let value = 0; value < valueCount; value += 1) end += 4 + view.getInt32(end)
    const openTime = readTimestamp(bytes, at + 6)
    hashesOf(found, bucketOf(openTime)).add(view, valuesAt, end, openTime)
    at = end
  }
  return sumsOf(found)
}

export const sumsOf = (hashes: ReadonlyMap<Instant, CandleHashes>): ReadonlyMap<Instant, CandleSums> =>
  new Map([...hashes].map(([bucket, one]) => [bucket, one.sums()]))
