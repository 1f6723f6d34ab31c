import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Candle } from '../../../market/candle.ts'
import { toDecimal } from '../../../market/decimal.ts'
import { type Instant, toInstant } from '../../../market/instant.ts'
import { floorTo } from '../../../market/timeframe.ts'
import { packageDir } from '../../../package-dir.ts'
import { listedAt } from '../../markets.ts'

let days: readonly Candle[] | undefined

/** Real BTC-USD days before the replay, newest first; Coinbase has them since 2014-12-01 with gaps. */
export function* olderDaysBackFrom(until: Instant): Generator<Candle> {
  days ??= readDays()
  for (const candle of days) if (candle.openTime <= until) yield candle
}

function readDays(): Candle[] {
  const file = new URL('src/replay/recordings/BTC-USD-1d-2014-2018.csv.gz', packageDir)
  const [, ...lines] = gunzipSync(readFileSync(file)).toString('latin1').trim().split('\n')
  return lines
    .map(readDay)
    .filter(({ openTime }) => openTime < floorTo('1d', listedAt))
    .toReversed()
}

function readDay(line: string): Candle {
  const [time = '', open = '', high = '', low = '', close = '', volume = ''] = line.trim().split(',')
  return {
    openTime: toInstant(Number(time)),
    open: toDecimal(open),
    high: toDecimal(high),
    low: toDecimal(low),
    close: toDecimal(close),
    volume: toDecimal(volume),
  }
}
