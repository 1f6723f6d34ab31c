import { z } from 'zod'
import { confirmations, fillFromArchive } from '../src/ingest/archive/fill-from-archive.ts'
import { addFilled, fillRange, nothingFilled } from '../src/ingest/fill-range.ts'
import { candleSource } from '../src/ingest/markets.ts'
import { toInstant } from '../src/market/instant.ts'
import { candleCount, type Range } from '../src/market/range.ts'
import { type Timeframe, timeframeMs, timeframes } from '../src/market/timeframe.ts'
import { defineJob } from '../src/queue/job.ts'
import { coinId } from '../src/settings/schema.ts'
import { sourceIds } from '../src/settings/source-ids.ts'
import { archiveFileAt, archiveKinds } from '../src/sources/binance-archive.ts'
import { type CandleSource, candlesPerPage } from '../src/sources/source.ts'
import { readOwed } from '../src/store/coverage.ts'
import { databaseOf } from '../src/store/transaction.ts'

const payload = z
  .strictObject({
    source: z.enum(sourceIds),
    symbol: z.string().min(1).max(50),
    coinId,
    timeframe: z.enum(timeframes),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    /** The file that holds the stretch; without it the source is asked page by page. */
    archive: z.enum(archiveKinds).exactOptional(),
    /** Asked for again, it goes before what was never asked for. */
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

/** One stretch of history: whatever of it is still owed is asked for, and nothing else. */
export const backfillCandles = defineJob({
  name: 'backfill-candles',
  summary: 'One stretch of history of one market, as far as it is still missing',
  payload,
  queueOf: ({ source }) => source,
  idOf: ({ source, symbol, coinId, timeframe, from, to, archive }) =>
    ['backfill', archive ?? source, symbol, coinId, timeframe, Date.parse(from), Date.parse(to)]
      .join('_')
      .replaceAll(':', '-'),
  priority: 10,
  run: async (context, { source: sourceId, symbol, coinId, timeframe, from, to, archive, lane }, report) => {
    const source = candleSource(sourceId)
    const series = { coinId, timeframe, source: sourceId }
    const chunk: Range = { from: toInstant(Date.parse(from)), to: toInstant(Date.parse(to)) }
    const owedIn = (range: Range) => readOwed(databaseOf(context.pool), series, range, 'retry-refused')
    const owed = await owedIn(chunk)
    const total = countOf(owed, timeframe)
    let filled = nothingFilled
    if (archive !== undefined && total > 0) {
      const file = archiveFileAt(archive, symbol, timeframe, chunk.from)
      const onProgress = (candles: number) => report.progress(candles, total)
      filled = await fillFromArchive(context, { series, file, owed, onProgress })
    }
    let done = 0
    for (const range of owed) {
      const left =
        archive === undefined
          ? [range]
          : confirmations(await owedIn(range), range, lengthsOf(source, timeframe))
      done += candleCount(range, timeframe) - countOf(left, timeframe)
      for (const part of left) {
        const before = done
        const onProgress = (candles: number) => report.progress(before + candles, total)
        const asked = { series, source, symbol, range: part, lane: lane ?? 'backfill', onProgress } as const
        filled = addFilled(filled, await fillRange(context, asked))
        done += candleCount(part, timeframe)
      }
    }
    const { ignored: _ignored, ...accounting } = filled
    await report.log(
      `${total} candles were owed: ${accounting.new} new, ${accounting.quarantined} quarantined, ${accounting.requests} requests`,
    )
    return accounting
  },
})

const countOf = (ranges: readonly Range[], timeframe: Timeframe): number =>
  ranges.reduce((sum, range) => sum + candleCount(range, timeframe), 0)

const lengthsOf = ({ candles }: CandleSource, timeframe: Timeframe) => ({
  candleMs: timeframeMs[timeframe],
  pageMs: candlesPerPage(candles, timeframe) * timeframeMs[timeframe],
})
