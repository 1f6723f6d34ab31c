import { z } from 'zod'
import { fillRange } from '../src/ingest/fill-range.ts'
import { candleSource } from '../src/ingest/markets.ts'
import { toInstant } from '../src/market/instant.ts'
import { candleCount, type Range } from '../src/market/range.ts'
import { timeframeMs, timeframes } from '../src/market/timeframe.ts'
import { defineJob } from '../src/queue/job.ts'
import { coinId } from '../src/settings/schema.ts'
import { sourceIds } from '../src/settings/source-ids.ts'
import { addAccounting, nothingReceived } from '../src/store/candles.ts'
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
  })
  .refine(({ from, to }) => Date.parse(from) < Date.parse(to), { error: 'from is not before to' })
  .refine(
    // What is no date has been refused already, but gets here all the same: its remainder is NaN.
    ({ from, to, timeframe }) => [from, to].every((text) => Date.parse(text) % timeframeMs[timeframe] === 0),
    { error: 'from and to do not lie on the grid of the timeframe' },
  )

/** One stretch of history: whatever of it is still owed is asked for, and nothing else. */
export const backfillCandles = defineJob({
  name: 'backfill-candles',
  summary: 'One stretch of history of one market, as far as it is still missing',
  payload,
  queueOf: ({ source }) => source,
  idOf: ({ source, symbol, coinId, timeframe, from, to }) =>
    ['backfill', source, symbol, coinId, timeframe, Date.parse(from), Date.parse(to)]
      .join('_')
      .replaceAll(':', '-'),
  priority: 10,
  run: async (context, { source: sourceId, symbol, coinId, timeframe, from, to }, report) => {
    const source = candleSource(sourceId)
    const series = { coinId, timeframe, source: sourceId }
    const chunk: Range = { from: toInstant(Date.parse(from)), to: toInstant(Date.parse(to)) }
    const owed = await readOwed(databaseOf(context.pool), series, chunk, 'retry-refused')
    const total = owed.reduce((sum, range) => sum + candleCount(range, timeframe), 0)
    let accounting = nothingReceived
    let requests = 0
    let roundedValues = 0
    let done = 0
    for (const range of owed) {
      const onProgress = (candles: number) => report.progress(done + candles, total)
      const filled = await fillRange(context, { series, source, symbol, range, lane: 'backfill', onProgress })
      accounting = addAccounting(accounting, filled)
      requests += filled.requests
      roundedValues += filled.roundedValues
      done += candleCount(range, timeframe)
    }
    await report.log(
      `${total} candles were owed: ${accounting.new} new, ${accounting.quarantined} quarantined, ${requests} requests`,
    )
    return { ...accounting, requests, roundedValues }
  },
})
