import { z } from 'zod'
import {
  confirmations,
  type FilledFromFile,
  fillFromArchive,
} from '../src/ingest/archive/fill-from-archive.ts'
import { addFilled, type Filled, nothingFilled } from '../src/ingest/candle-writer.ts'
import { countRequests, type RequestCount } from '../src/ingest/counted-requests.ts'
import { fillRanges } from '../src/ingest/fill-range.ts'
import { subtractAll } from '../src/ingest/gaps/causes.ts'
import { listedPart } from '../src/ingest/kept-history.ts'
import { candleSource } from '../src/ingest/markets.ts'
import { toInstant } from '../src/market/instant.ts'
import { type AlignedRange, alignTo, candleCount, toAlignedRange } from '../src/market/range.ts'
import { type Timeframe, timeframeMs, timeframes } from '../src/market/timeframe.ts'
import { defineJob } from '../src/queue/job.ts'
import { jobIdOf } from '../src/queue/job-id.ts'
import type { Context } from '../src/runtime/context.ts'
import { coinId, marketSymbol } from '../src/settings/schema.ts'
import { anySourceId, queueOfSource } from '../src/settings/source-ids.ts'
import { archiveFileAt, archiveKinds } from '../src/sources/binance-archive.ts'
import { candlesPerPage } from '../src/sources/source.ts'
import { listCoins } from '../src/store/coins.ts'
import { readMissingOf } from '../src/store/coverage/missing-candles.ts'
import { throwIfUnplaced, type Unplaced } from '../src/store/partitions/leave-out.ts'
import { noteOutcome } from '../src/store/runs.ts'
import { databaseOf } from '../src/store/transaction.ts'

const payload = z
  .strictObject({
    source: anySourceId,
    symbol: marketSymbol,
    coinId,
    timeframe: z.enum(timeframes),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    /** The archive file to read; else the source is paged. */
    archive: z.enum(archiveKinds).exactOptional(),
    /** Repair requests run before other backfills, and request rejected candles again. */
    lane: z.literal('repair').exactOptional(),
  })
  .refine(({ from, to }) => Date.parse(from) < Date.parse(to), { error: 'from is not before to' })
  .refine(
    // Invalid dates also reach here (NaN); they were rejected above.
    ({ from, to, timeframe }) => [from, to].every((text) => Date.parse(text) % timeframeMs[timeframe] === 0),
    { error: 'from and to do not lie on the grid of the timeframe' },
  )
  .refine(({ archive, source }) => archive === undefined || source === 'binance', {
    error: 'only binance has an archive',
  })
  .refine(
    ({ archive, symbol, timeframe, from, to }) =>
      archive === undefined ||
      Number.isNaN(Date.parse(from)) ||
      Date.parse(to) <= archiveFileAt(archive, symbol, timeframe, toInstant(Date.parse(from))).range.to,
    { error: 'from and to do not lie in one file of the archive' },
  )

type Chunk = z.infer<typeof payload>

export const backfillCandles = defineJob({
  name: 'backfill-candles',
  summary: 'Load the missing candles of one range of one market',
  changes: ['new', 'revised', 'quarantined'],
  payload,
  queueOf: ({ source }) => queueOfSource(source),
  idOf: ({ source, symbol, coinId, timeframe, archive, ...range }) => {
    const [from, to] = [range.from, range.to].map((text) => String(Date.parse(text)))
    return jobIdOf('backfill', archive ?? queueOfSource(source), symbol, coinId, timeframe, `${from}-${to}`)
  },
  priority: 10,
  // About two minutes of retries, to outlast short outages.
  attempts: 8,
  run: async (context, chunk, report) => {
    const counted = countRequests(context.http)
    const db = databaseOf(context.pool)
    let done: ChunkDone = nothingDone
    const note = () => noteOutcome(db, context.runId, outcomeOf(done, counted.count()))
    try {
      const deps = { ...context, http: counted.http }
      const whole = await context.seriesRanges.run(chunk, rangeOf(chunk), context.signal, () =>
        fillChunk(deps, chunk, report.attempt, async (now, candles, missing) => {
          done = now
          await note()
          await report.progress(candles, missing)
        }),
      )
      const outcome = outcomeOf(whole.done, counted.count())
      await report.log(
        `${whole.missing} candles were missing: ${outcome.new} new, ${outcome.quarantined} quarantined, ${outcome.requests} requests`,
      )
      return outcome
    } catch (error) {
      // Records its requests for failed runs too.
      await note()
      throw error
    }
  },
})

const rangeOf = ({ timeframe, from, to }: Chunk): AlignedRange =>
  toAlignedRange(timeframe, { from: toInstant(Date.parse(from)), to: toInstant(Date.parse(to)) })

/** Work done so far, from pages and file. */
type ChunkDone = Readonly<{ filled: Filled; files: number }>

const nothingDone: ChunkDone = { filled: nothingFilled, files: 0 }

function outcomeOf({ filled, files }: ChunkDone, { requests, fileRequests }: RequestCount) {
  const { ignored: _ignored, requests: _pages, ...accounting } = filled
  return { ...accounting, requests, ...(fileRequests > 0 ? { files, fileRequests } : {}) }
}

type OnDone = (done: ChunkDone, candles: number, missing: number) => Promise<void>

/** Loads missing candles from the archive file, then the rest from the source. */
async function fillChunk(
  context: Context,
  chunk: Chunk,
  attempt: number,
  onDone: OnDone,
): Promise<{ done: ChunkDone; missing: number }> {
  const { source: sourceId, symbol, coinId, timeframe, archive, lane } = chunk
  const source = candleSource(sourceId)
  const series = { coinId, timeframe, source: sourceId }
  const planned = rangeOf(chunk)
  const db = databaseOf(context.pool)
  // The symbol's listing dates may have changed while the job waited.
  const coins = await listCoins(db)
  const market = coins
    .find(({ id }) => id === coinId)
    ?.markets.find((one) => one.source === sourceId && one.symbol === symbol)
  const range = market ? listedPart(market, timeframe, planned) : planned
  const missingIn = (part: AlignedRange) =>
    readMissingOf(db, { ...series, range: part }, lane === 'repair' ? 'retry-rejected' : 'skip-rejected')
  const missing = await missingIn(range)
  const total = countOf(missing, timeframe)
  let before = nothingDone
  let left = missing
  let unplaced: readonly Unplaced[] = []
  if (archive !== undefined && total > 0) {
    const file = archiveFileAt(archive, symbol, timeframe, planned.from)
    const onProgress = (candles: number, { files, ...filled }: FilledFromFile) =>
      onDone({ filled, files }, candles, total)
    const loaded = await fillFromArchive(context, { series, file, missing, attempt, onProgress })
    const { files, ...filled } = loaded.filled
    unplaced = loaded.unplaced
    before = { filled, files }
    // The source may have valid candles for rejected lines; ranges without a partition are not requested.
    const holes = subtractAll(
      await readMissingOf(db, { ...series, range }, 'retry-rejected'),
      unplaced.map((one) => alignTo(timeframe, one.range)),
    )
    const pageSize = candlesPerPage(source.candles, timeframe)
    left = missing.flatMap((missingRange) => confirmations(holes, missingRange, { timeframe, pageSize }))
  }
  const passed = total - countOf(left, timeframe)
  const doneWith = (filled: Filled): ChunkDone => ({ ...before, filled: addFilled(before.filled, filled) })
  const filled = await fillRanges(context, {
    series,
    source,
    symbol,
    ranges: left,
    lane: lane ?? 'backfill',
    onProgress: (candles, filled) => onDone(doneWith(filled), passed + candles, total),
  })
  throwIfUnplaced(unplaced, 'candle')
  return { done: doneWith(filled), missing: total }
}

const countOf = (ranges: readonly AlignedRange[], timeframe: Timeframe): number =>
  ranges.reduce((sum, range) => sum + candleCount(range, timeframe), 0)
