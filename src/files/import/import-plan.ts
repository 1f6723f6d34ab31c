import type { Pool } from 'pg'
import { InvalidInput, Malformed } from '../../fault.ts'
import { readPastRetention } from '../../ingest/past-retention.ts'
import { changedValues } from '../../ingest/verify/compare-with-source.ts'
import type { AlignedCandle, Candle, RejectedRow } from '../../market/candle.ts'
import { earlier, type Instant, later } from '../../market/instant.ts'
import { type AlignedRange, candleCount, intersect, intervalsFrom, union } from '../../market/range.ts'
import { timeframeMs, timeframes } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import { readCandles } from '../../store/candles.ts'
import type { Coin } from '../../store/coins.ts'
import { type Database, databaseOf } from '../../store/transaction.ts'
import { type CheckedBatch, checkedBatches, type Skipped } from './checked-batches.ts'
import type { ColumnMapping } from './column-names.ts'
import type { ReadableFile, SeriesKey } from './file-rows.ts'
import { openFile } from './open-file.ts'
import { openSource, type SourceFile } from './source-file.ts'
import { type ImportChoice, type ImportTarget, targetOf } from './target.ts'

export type ImportDeps = Readonly<{ pool: Pool; settings: Settings; coins: readonly Coin[]; now: Instant }>

export type ImportRequest = ImportChoice & Readonly<{ mapping: ColumnMapping }>

/** A candle of a file that the table has with other values. */
type Differing = Readonly<{ stored: Candle; given: Candle }>

/** What a file comes to for one series. */
export type PlannedSeries = Readonly<{
  target: ImportTarget
  range: AlignedRange
  rows: number
  new: number
  unchanged: number
  differing: number
  differences: readonly Differing[]
  rejected: number
  rejections: readonly RejectedRow[]
  /** Open candles and duplicates. */
  ignored: number
  /** From before or after the symbol's listing as this coin. */
  foreign: number
  roundedValues: number
  /** New candles that the next retention run would delete. */
  expiring: number
}>

export type PlannedFile = Readonly<{
  source: SourceFile
  file: ReadableFile
  targetOf: (key: SeriesKey) => ImportTarget | undefined
  series: readonly PlannedSeries[]
  skipped: Skipped
}>

/** Compares a whole file with the table. Throws Malformed. */
export async function planFile(deps: ImportDeps, request: ImportRequest, path: string): Promise<PlannedFile> {
  const source = await openSource(path)
  const file = await openFile(source, {
    mapping: request.mapping,
    symbol: request.coin?.symbol,
    timeframe: request.timeframe,
  })
  const ofPath = hiveKey(path)
  const targets = (key: SeriesKey) => targetOf({ ...deps, path }, request, file.facts, { ...ofPath, ...key })
  const skipped: Skipped = { others: 0, marked: 0 }
  const sums = new Map<string, SeriesSum>()
  for await (const batch of checkedBatches({ file, targetOf: targets, now: deps.now }, skipped)) {
    const { coinId, timeframe } = batch.target.series
    const sum = sums.get(`${coinId} ${timeframe}`) ?? new SeriesSum(batch.target)
    sums.set(`${coinId} ${timeframe}`, sum)
    await sum.add(databaseOf(deps.pool), batch)
  }
  if (sums.size === 0)
    throw new InvalidInput(
      skipped.others > 0 ? `${path} has no row of the chosen coin and timeframe` : `${path} has no candle`,
    )
  for (const sum of sums.values()) sum.refuseOtherTimeframe(path)
  const series: PlannedSeries[] = []
  for (const sum of sums.values()) series.push(await sum.planned(deps))
  return { source, file, targetOf: targets, series, skipped }
}

/** From Hive folder names. */
function hiveKey(path: string): SeriesKey {
  const [, coinId] = /(?:^|\/)coin_id=([^/]+)\//.exec(path) ?? []
  const [, timeframe] = /(?:^|\/)timeframe=([^/]+)\//.exec(path) ?? []
  return {
    ...(coinId === undefined ? {} : { coinId: decodeURIComponent(coinId) }),
    ...(timeframe === undefined ? {} : { timeframe }),
  }
}

/** Limit of the examples shown. */
const shown = 5

/** Too few to judge distances. */
const fewestRows = 3

class SeriesSum {
  readonly #target: ImportTarget
  #range: AlignedRange | undefined
  #counts = { rows: 0, unchanged: 0, ignored: 0, foreign: 0, misplaced: 0, roundedValues: 0 }
  #rejected = 0
  readonly #rejections: RejectedRow[] = []
  #differing = 0
  readonly #differences: Differing[] = []
  readonly #fresh: AlignedRange[] = []
  #leastStepMs = Number.POSITIVE_INFINITY

  constructor(target: ImportTarget) {
    this.#target = target
  }

  async add(db: Database, batch: CheckedBatch): Promise<void> {
    const { span, checked, rows, misplaced, foreign, leastStepMs } = batch
    const range = this.#range ?? span
    this.#range = { from: earlier(range.from, span.from), to: later(range.to, span.to) }
    this.#leastStepMs = Math.min(this.#leastStepMs, leastStepMs)
    this.#rejected += checked.rejected.length
    this.#rejections.push(...checked.rejected.slice(0, Math.max(0, shown - this.#rejections.length)))
    const counts = this.#counts
    this.#counts = {
      rows: counts.rows + rows,
      unchanged: counts.unchanged,
      ignored: counts.ignored + checked.ignored,
      foreign: counts.foreign + foreign,
      misplaced: counts.misplaced + misplaced,
      roundedValues: counts.roundedValues + checked.roundedValues,
    }
    await this.#compare(db, batch)
  }

  async #compare(db: Database, { span, checked: { candles } }: CheckedBatch): Promise<void> {
    const { series } = this.#target
    const stored = await storedByTime(db, series, span)
    const isFresh = (candle: AlignedCandle) => !stored.has(candle.openTime)
    const fresh = intervalsFrom(
      candles.filter(isFresh).map(({ openTime }) => openTime),
      series.timeframe,
    )
    for (const range of fresh) this.#fresh.push(range)
    const differing = candles.filter((candle) => isOther(stored.get(candle.openTime), candle))
    this.#differing += differing.length
    this.#counts.unchanged += candles.filter((candle) => !isFresh(candle)).length - differing.length
    for (const given of differing) {
      const own = stored.get(given.openTime)
      if (own && this.#differences.length < shown) this.#differences.push({ stored: own, given })
    }
  }

  /** Throws Malformed for rows of another timeframe. */
  refuseOtherTimeframe(path: string): void {
    const { series, isTimeframeKnown } = this.#target
    const { timeframe } = series
    const { rows, misplaced } = this.#counts
    if (2 * misplaced > rows)
      throw new Malformed(
        `${path} holds no ${timeframe} candles: ${misplaced} of ${rows} rows have no time on the ${timeframe} grid`,
      )
    if (isTimeframeKnown || rows < fewestRows || this.#leastStepMs <= timeframeMs[timeframe]) return
    const meant = timeframes.find((one) => timeframeMs[one] === this.#leastStepMs)
    throw new Malformed(
      `the rows of ${path} are ${meant ?? `${this.#leastStepMs / 60_000} minutes`} apart, not ${timeframe}: choose another --timeframe`,
    )
  }

  async planned({ pool, settings, now }: ImportDeps): Promise<PlannedSeries> {
    const { series } = this.#target
    const range = this.#range
    if (!range) throw new Error('a series without rows is planned')
    const { misplaced: _, ...counts } = this.#counts
    // Duplicates in the file.
    const fresh = union(this.#fresh)
    return {
      target: this.#target,
      range,
      ...counts,
      new: countOf(fresh, series.timeframe),
      differing: this.#differing,
      differences: this.#differences,
      rejected: this.#rejected,
      rejections: this.#rejections,
      expiring: await expiringOf(databaseOf(pool), settings, series.timeframe, fresh, now),
    }
  }
}

const countOf = (ranges: readonly AlignedRange[], timeframe: ImportTarget['series']['timeframe']): number =>
  ranges.reduce((sum, range) => sum + candleCount(range, timeframe), 0)

async function expiringOf(
  db: Database,
  settings: Settings,
  timeframe: ImportTarget['series']['timeframe'],
  ranges: readonly AlignedRange[],
  now: Instant,
): Promise<number> {
  const [first, last] = [ranges[0], ranges.at(-1)]
  if (!first || !last) return 0
  // One file may have many ranges, and the partitions that are past the limit are few ranges.
  const whole = { from: first.from, to: last.to }
  const expired = await readPastRetention(db, settings, timeframe, [whole], now)
  return countOf(
    expired.flatMap((part) => ranges.flatMap((range) => intersect(range, part) ?? [])),
    timeframe,
  )
}

/** By open time. */
export async function storedByTime(
  db: Database,
  series: ImportTarget['series'],
  range: AlignedRange,
): Promise<ReadonlyMap<Instant, Candle>> {
  const stored = await readCandles(db, series, range, candleCount(range, series.timeframe))
  return new Map(stored.map((candle) => [candle.openTime, candle]))
}

export const isOther = (stored: Candle | undefined, given: Candle): boolean =>
  stored !== undefined && changedValues(stored, given).length > 0
