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
    /** The file that holds the stretch; without it the source is asked page by page. */
    archive: z.enum(archiveKinds).exactOptional(),
    /**
     * Asked for again, it goes before what was never asked for, as what live ingest leaves to a backfill was not. Rejected
     * candles of it are asked for too.
     */
    lane: z.literal('repair').exactOptional(),
  })
  .refine(({ from, to }) => Date.parse(from) < Date.parse(to), { error: 'from is not before to' })
  .refine(
    // What is no date has been refused already, but gets here all the same: its remainder is NaN.
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

/** One stretch of history: whatever of it is still owed is asked for, and nothing else. */
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
  // Two minutes of tries: an outage of a source is seldom over in the seconds that a tick is given.
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
      // What it took is told of a run that fails too.
      await note()
      throw error
    }
  },
})

const rangeOf = ({ timeframe, from, to }: Chunk): AlignedRange =>
  toAlignedRange(timeframe, { from: toInstant(Date.parse(from)), to: toInstant(Date.parse(to)) })

/** What has been done for a chunk: pages of its source, and of its file. */
type ChunkDone = Readonly<{ filled: Filled; files: number }>

const nothingDone: ChunkDone = { filled: nothingFilled, files: 0 }

function outcomeOf({ filled, files }: ChunkDone, { requests, fileRequests }: RequestCount) {
  const { ignored: _ignored, requests: _pages, ...accounting } = filled
  return { ...accounting, requests, ...(fileRequests > 0 ? { files, fileRequests } : {}) }
}

/** Told after each commit what has been done so far, and how many of so many owed candles have been dealt with. */
type OnDone = (done: ChunkDone, candles: number, missing: number) => Promise<void>

/** Brings in what is owed of a chunk: from its file, and from the source whatever is owed still. */
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
  // A job may have waited while its symbol was found to be another coin's before or after some day.
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
    // Where a line of the file was rejected, the source may have a valid candle; what has no partition, it need not send.
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
