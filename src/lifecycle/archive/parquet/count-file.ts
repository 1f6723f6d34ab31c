import type { AlignedCandle } from '../../../market/candle.ts'
import { type Decimal, toDecimal } from '../../../market/decimal.ts'
import { type Instant, toInstant } from '../../../market/instant.ts'
import { type Timeframe, toAligned } from '../../../market/timeframe.ts'
import { encodeCandles } from '../../../store/candles/candle-rows-writer.ts'
import { bucketsOf } from '../../../store/digests/buckets.ts'
import type { SeriesSums } from '../../../store/digests/candle-digests.ts'
import { addRows, type CandleHashes } from '../../../store/digests/candle-hash.ts'
import { sumsOf } from '../../../store/digests/count-candles.ts'
import { timeframeOf } from '../../../store/lifecycle/archives/archived-coverage.ts'
import type { Archive } from '../../../store/lifecycle/archives.ts'
import { DamagedArchive } from '../damaged-archive.ts'
import { readParquet, type TextGroup } from './read-parquet.ts'

/** Counts candles of a file by coin and bucket; for one coin reads only its row groups. */
export async function countFile(
  path: string,
  { table, columns, fileName }: Pick<Archive, 'table' | 'columns' | 'fileName'>,
  coinId: string | undefined,
): Promise<readonly SeriesSums[]> {
  const timeframe = timeframeOf(table)
  if (timeframe === undefined) throw new DamagedArchive(`${fileName} holds no candles`)
  const bucketOf = bucketsOf(timeframe)
  const places = new Map(columns.map(({ name }, place) => [name, place]))
  const hashes = new Map<string, Map<Instant, CandleHashes>>()
  const only = coinId === undefined ? undefined : { column: 'coin_id', value: coinId }
  for await (const group of readParquet(path, columns, only)) {
    for (const [coin, candles] of candlesOf(group, places, timeframe)) {
      if (coinId !== undefined && coin !== coinId) continue
      const own = hashes.get(coin) ?? new Map<Instant, CandleHashes>()
      hashes.set(coin, own)
      addRows(own, bucketOf, encodeCandles({ coinId: coin, timeframe }, candles))
    }
  }
  return [...hashes].map(([coin, own]) => ({ coinId: coin, sums: sumsOf(own) }))
}

function candlesOf(
  { rows, columns }: TextGroup,
  places: ReadonlyMap<string, number>,
  timeframe: Timeframe,
): ReadonlyMap<string, AlignedCandle[]> {
  const column = (name: string) => columns[places.get(name) ?? -1] ?? []
  const [coins, times] = [column('coin_id'), column('timestamp')]
  const [open, high, low, close, volume] = ['open', 'high', 'low', 'close', 'volume'].map(column)
  const found = new Map<string, AlignedCandle[]>()
  for (let row = 0; row < rows; row += 1) {
    const coin = coins[row] ?? ''
    const candles = found.get(coin) ?? []
    if (candles.length === 0) found.set(coin, candles)
    candles.push({
      openTime: toAligned(timeframe, toInstant(Number(times[row]) / 1_000)),
      open: decimalAt(open, row),
      high: decimalAt(high, row),
      low: decimalAt(low, row),
      close: decimalAt(close, row),
      volume: decimalAt(volume, row),
    })
  }
  return found
}

const decimalAt = (column: readonly (string | null)[] | undefined, row: number): Decimal =>
  toDecimal(column?.[row] ?? '')
