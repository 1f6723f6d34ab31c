import { commandLine } from '../../command-line.ts'
import { Aborted, Fault } from '../../fault.ts'
import { earlier, type Instant, later, toInstant, toIso, toMinuteText } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { lockSeries, type Series } from '../../store/coverage.ts'
import type { CheckProblem, CheckResult } from '../../store/digests/archive-checks.ts'
import { readArchiveDigests, writeArchiveDigests } from '../../store/digests/archive-digests.ts'
import { bucketEnd } from '../../store/digests/buckets.ts'
import { readDigests, writeDigests } from '../../store/digests/candle-digests.ts'
import { addSums, type CandleSums, noCandles, sameSums } from '../../store/digests/candle-hash.ts'
import { countCandles } from '../../store/digests/count-candles.ts'
import { readAtOneMoment } from '../../store/lifecycle/archives/archive-content.ts'
import { timeframeOf } from '../../store/lifecycle/archives/archived-coverage.ts'
import { type Archive, listArchives } from '../../store/lifecycle/archives.ts'
import { measurePartitions } from '../../store/lifecycle/list-partitions.ts'
import { holdPartitions, rangeTablesOf } from '../../store/lifecycle/range-tables.ts'
import { databaseOf, inTransaction, type Transaction } from '../../store/transaction.ts'
import type { ArchiveDeps } from './archive-partition.ts'
import { countFile } from './parquet/count-file.ts'
import { placesOf, type RowPlace } from './row-places.ts'
import { verifyOnce } from './storage/verified-files.ts'
import { withStorageOf } from './storage.ts'
import { verifyBytes } from './verify-archive.ts'

export type CheckDeps = ArchiveDeps & Readonly<{ signal: AbortSignal }>

export type CheckOptions = Readonly<{
  /** Coins to check; other coins' archived rows are skipped. */
  coinIds: readonly string[]
  /** All coins: files are read completely. */
  isWhole: boolean
  /** Accept the current content as correct. */
  accept: boolean
  onProgress?(done: number, total: number): void
}>

/** Compares tables and files with the checksums kept by loads. Uncounted buckets are counted. */
export async function checkArchive(deps: CheckDeps, options: CheckOptions): Promise<CheckResult> {
  const startedAt = performance.now()
  const checkedAt = deps.clock.now()
  const files = await filesToCheck(deps)
  const { coinIds, isWhole, onProgress } = options
  const total = coinIds.length + files.length
  const tally = new Tally()
  for (const [index, coinId] of coinIds.entries()) {
    proceed(deps)
    await checkCoin(deps, coinId, options.accept, tally)
    onProgress?.(index + 1, total)
  }
  for (const [index, archive] of files.entries()) {
    proceed(deps)
    await checkFile(deps, archive, options, tally)
    onProgress?.(coinIds.length + index + 1, total)
  }
  return {
    coinIds: isWhole ? undefined : coinIds,
    checkedAt,
    durationMs: Math.round(performance.now() - startedAt),
    ...tally.result(),
  }
}

function proceed({ signal }: CheckDeps): void {
  if (signal.aborted) throw new Aborted('the check was stopped; nothing was changed by it')
}

class Tally {
  readonly problems: CheckProblem[] = []
  series = 0
  liveRows = 0
  archivedRows = 0
  files = 0
  counted = 0

  result(): Omit<CheckResult, 'coinIds' | 'checkedAt' | 'durationMs'> {
    const { problems, series, liveRows, archivedRows, files, counted } = this
    return { problems, series, liveRows, archivedRows, files, counted }
  }
}

/** Files with rows that are read, from one snapshot of partitions and manifest. */
async function filesToCheck({ pool }: CheckDeps): Promise<Archive[]> {
  const parents = await rangeTablesOf(databaseOf(pool), ['ohlcv_data'])
  return inTransaction(pool, async (tx) => {
    await readAtOneMoment(tx)
    await holdPartitions(tx, parents)
    const archives = (await listArchives(tx.db)).filter(({ table }) => timeframeOf(table) !== undefined)
    const places = placesOf(await measurePartitions(tx.db, parents), archives)
    return places.flatMap((place) => (place.kind === 'file' ? [place.archive] : []))
  })
}

/** One snapshot of checksums and rows; no partition is deleted meanwhile. */
async function checkCoin(deps: CheckDeps, coinId: string, accept: boolean, tally: Tally): Promise<void> {
  const { pool } = deps
  const parents = await rangeTablesOf(databaseOf(pool), ['ohlcv_data'])
  const uncounted = await inTransaction(
    pool,
    async (tx) => {
      await readAtOneMoment(tx)
      await holdPartitions(tx, parents)
      const live = placesOf(await measurePartitions(tx.db, parents), [])
      const known = await readDigests(tx.db, coinId)
      const timeframes = new Set([...known.keys(), ...live.flatMap(({ timeframe }) => timeframe ?? [])])
      const buckets: (readonly [Timeframe, Instant])[] = []
      for (const timeframe of timeframes) {
        const found = await countPlaces(tx, { coinId, timeframe }, live)
        const wanted = known.get(timeframe) ?? new Map<Instant, CandleSums | undefined>()
        for (const bucket of compareSeries({ coinId, timeframe }, wanted, found, accept, tally))
          buckets.push([timeframe, bucket])
      }
      return buckets
    },
    'maintenance',
  )
  for (const [timeframe, bucket] of uncounted) await countBucket(deps, coinId, timeframe, bucket)
  tally.counted += uncounted.length
}

/** By month, to bound memory. */
async function countPlaces(
  tx: Transaction,
  series: Omit<Series, 'source'>,
  live: readonly RowPlace[],
): Promise<ReadonlyMap<Instant, CandleSums>> {
  const found = new Map<Instant, CandleSums>()
  for (const { timeframe, range } of live) {
    if (timeframe !== series.timeframe) continue
    for (const [bucket, sums] of await countCandles(tx, series, range ?? allTime))
      found.set(bucket, addSums(found.get(bucket) ?? noCandles, sums))
  }
  return found
}

const allTime = { from: toInstant(0), to: toInstant(Date.UTC(9_999, 0)) }

/** Returns the buckets to count: unknown or accepted. */
function compareSeries(
  series: Omit<Series, 'source'>,
  wanted: ReadonlyMap<Instant, CandleSums | undefined>,
  found: ReadonlyMap<Instant, CandleSums>,
  accept: boolean,
  tally: Tally,
): Instant[] {
  const buckets = new Set([...wanted.keys(), ...found.keys()])
  if (buckets.size > 0) tally.series += 1
  return [...buckets].filter((bucket) => {
    const is = found.get(bucket) ?? noCandles
    tally.liveRows += is.rows
    const should = wanted.has(bucket) ? wanted.get(bucket) : noCandles
    if (should === undefined) return true
    if (sameSums(should, is)) return false
    if (!accept) tally.problems.push(liveProblem(series, bucket, should, is))
    return accept
  })
}

/** Under the series' lock. */
const countBucket = (
  { pool }: CheckDeps,
  coinId: string,
  timeframe: Timeframe,
  bucket: Instant,
): Promise<void> =>
  inTransaction(
    pool,
    async (tx) => {
      await lockSeries(tx.db, [{ coinId, timeframe }])
      const range = { from: bucket, to: bucketEnd(timeframe, bucket) }
      const found = await countCandles(tx, { coinId, timeframe }, range)
      await writeDigests(tx.db, { coinId, timeframe }, new Map([[bucket, found.get(bucket) ?? noCandles]]))
    },
    'maintenance',
  )

const liveProblem = (
  { coinId, timeframe }: Omit<Series, 'source'>,
  bucket: Instant,
  wanted: CandleSums,
  found: CandleSums,
): CheckProblem => {
  const end = bucketEnd(timeframe, bucket)
  return {
    where: `${coinId} ${timeframe} ${toIso(bucket).slice(0, 10)}`,
    problem: differenceText('the table', wanted, found),
    remedy: `${commandLine`beacon verify ${coinId} --timeframe ${timeframe} --from ${toIso(bucket)} --to ${toIso(end)}`} compares it with the source; ${commandLine`beacon archive check ${coinId} --accept`} keeps it as it is`,
  }
}

const differenceText = (place: string, wanted: CandleSums, found: CandleSums): string =>
  wanted.rows === found.rows
    ? `${place} has ${found.rows} candles, and some with other values than were written`
    : `${place} has ${found.rows} candles where ${wanted.rows} were written`

async function checkFile(
  deps: CheckDeps,
  archive: Archive,
  { coinIds, isWhole, accept }: CheckOptions,
  tally: Tally,
): Promise<void> {
  const { pool, settings } = deps
  const [only] = coinIds
  const coinId = isWhole || coinIds.length !== 1 ? undefined : only
  const wanted = await readArchiveDigests(databaseOf(pool), archive.id, coinId)
  try {
    await withStorageOf(settings, archive, (storage) =>
      storage.withFile(archive.fileName, async (path) => {
        // A complete check reads every byte; else as a query does.
        await (isWhole ? verifyBytes(path, archive) : verifyOnce(settings, archive, path))
        const found = await countFile(path, archive, wanted === undefined ? undefined : coinId)
        tally.files += 1
        const isWanted = (one: string) => isWhole || coinIds.includes(one)
        for (const { coinId: one, sums } of found)
          if (isWanted(one)) for (const { rows } of sums.values()) tally.archivedRows += rows
        if (wanted === undefined || (accept && isWhole)) {
          await inTransaction(pool, ({ db }) => writeArchiveDigests(db, archive.id, found))
          tally.counted += 1
          return
        }
        for (const one of new Set([...wanted.keys(), ...found.map((series) => series.coinId)]))
          if (isWanted(one)) compareFile(archive, one, wanted, found, tally)
      }),
    )
  } catch (error) {
    if (!(error instanceof Fault) || error instanceof Aborted) throw error
    tally.problems.push({
      where: archive.fileName,
      problem: error.message,
      remedy: commandLine`beacon archive verify ${archive.id.slice(0, 8)}`,
    })
  }
}

type Wanted = NonNullable<Awaited<ReturnType<typeof readArchiveDigests>>>
type Found = Awaited<ReturnType<typeof countFile>>

function compareFile(archive: Archive, coinId: string, wanted: Wanted, found: Found, tally: Tally): void {
  const known = wanted.get(coinId) ?? new Map<Instant, CandleSums>()
  const read = found.find((one) => one.coinId === coinId)?.sums ?? new Map<Instant, CandleSums>()
  for (const bucket of new Set([...known.keys(), ...read.keys()])) {
    const [should, is] = [known.get(bucket) ?? noCandles, read.get(bucket) ?? noCandles]
    if (sameSums(should, is)) continue
    const from = later(bucket, archive.range.from)
    const to = earlier(bucketEnd(timeframeOf(archive.table) ?? '1h', bucket), archive.range.to)
    tally.problems.push({
      where: `${archive.fileName}, ${coinId} from ${toMinuteText(from)} to ${toMinuteText(to)}`,
      problem: differenceText('the file', should, is),
      remedy: `put back a copy of it, or restore it and compare it with the source: ${commandLine`beacon archive restore ${archive.id.slice(0, 8)}`}`,
    })
  }
}
