import { Command, Option } from 'commander'
import { commandLine } from '../command-line.ts'
import { InvalidInput } from '../fault.ts'
import { changedValues } from '../ingest/verify/compare-with-source.ts'
import type { Candle } from '../market/candle.ts'
import { type Instant, toInstant, toIso, toMinuteText } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import type { Timeframe } from '../market/timeframe.ts'
import { type Revision, readRevisions } from '../store/candles/revisions.ts'
import { readCandles } from '../store/candles.ts'
import type { Database } from '../store/transaction.ts'
import { asJson, fromDate, oneCoin, requiredTimeframe, toDate } from './arguments/options.ts'
import { readCount, readDate } from './arguments.ts'
import { drawCandles, mostCandles } from './candles/candle-chart.ts'
import { readSeries } from './series/one-series.ts'
import { type DatabaseSession, withDatabase } from './session.ts'
import { answer, hasColours, terminalSize } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type CandlesOptions = Readonly<{
  timeframe: string
  last?: string
  from?: string
  to?: string
  plot?: boolean
  revisions?: boolean
  json?: boolean
}>

export const candlesCommand = (): Command =>
  new Command('candles')
    .addArgument(oneCoin())
    .addOption(requiredTimeframe())
    .option('--last <count>', 'show this many; default: 20, or what fits with --plot')
    .addOption(fromDate())
    .addOption(toDate())
    .addOption(new Option('--plot', 'draw a chart').conflicts(['revisions', 'json']))
    .option('--revisions', 'show replaced values and what replaced them')
    .addOption(asJson())
    .action((coin: string, options: CandlesOptions) =>
      withDatabase((session) => showCandles(session, coin, options)),
    )

const longestAnswer = 100_000

/** More lines add no detail. */
const tallestPlot = 36

async function showCandles(session: DatabaseSession, name: string, options: CandlesOptions): Promise<void> {
  const { last, plot, revisions, json } = options
  const { width, height } = terminalSize()
  const count = readCount('--last', last ?? (plot ? String(mostCandles(width)) : '20'), longestAnswer)
  const { coin, timeframe } = await readSeries(session, name, options.timeframe)
  const coinId = coin.id
  const range = readSpan(options, session.clock.now())
  if (revisions) return showRevisions(session.db, { coinId, timeframe }, range, count, json)
  const candles = await readCandles(session.db, { coinId, timeframe }, range, count)
  const described = candles.map(({ openTime, ...values }) => ({ openTime: toIso(openTime), ...values }))
  answer(json, { coinId, timeframe, candles: described }, () => {
    if (candles.length === 0)
      return `No ${timeframe} candles of ${coinId} are stored${options.from ? ' there' : ' yet'}. Bring some in with: ${commandLine`beacon backfill ${coinId} --timeframe ${timeframe} --from ${options.from ?? '-7d'}`}`
    return plot
      ? drawCandles(
          { coinId, timeframe, candles },
          { width, height: Math.min(height - 1, tallestPlot), colours: hasColours() },
        )
      : candleTable(candles)
  })
}

const everything: Range = { from: toInstant(0), to: toInstant(Date.UTC(9999, 0, 1)) }

function readSpan({ from, to }: CandlesOptions, now: Instant): Range {
  const range = {
    from: from === undefined ? everything.from : readDate('--from', from, now),
    to: to === undefined ? everything.to : readDate('--to', to, now),
  }
  if (range.from >= range.to) throw new InvalidInput(`--from ${from} is not before --to ${to}`)
  if (range.from > now) throw new InvalidInput(`--from ${from} lies in the future: no candle is closed yet`)
  return range
}

async function showRevisions(
  db: Database,
  series: Readonly<{ coinId: string; timeframe: Timeframe }>,
  range: Range,
  count: number,
  json: boolean | undefined,
): Promise<void> {
  const revisions = await readRevisions(db, series, range, count)
  const described = revisions.map(({ openTime, revisedAt, runId, ...revision }) => ({
    openTime: toIso(openTime),
    revisedAt: toIso(revisedAt),
    runId: runId ?? null,
    ...revision,
  }))
  answer(json, { ...series, revisions: described }, () =>
    revisions.length === 0
      ? `No stored ${series.timeframe} candle of ${series.coinId} was changed by its source.`
      : revisionTable(revisions),
  )
}

const revisionTable = (revisions: readonly Revision[]): string =>
  table(revisions, [
    { title: 'open time (UTC)', of: ({ openTime }) => toMinuteText(openTime) },
    { title: 'revised at', of: ({ revisedAt }) => toSecondText(revisedAt) },
    { title: 'source', of: ({ source }) => source, leaveOut: 2 },
    { title: 'run', of: ({ runId }) => runId?.slice(0, 8) ?? '', leaveOut: 1 },
    { title: 'what changed', of: changeText, wraps: true },
  ])

const toSecondText = (instant: Instant): string => toIso(instant).replace('T', ' ').slice(0, 19)

const changeText = ({ old, new: now }: Revision): string =>
  changedValues(old, now)
    .map((name) => `${name} ${old[name]} to ${now[name]}`)
    .join('; ')

const candleTable = (candles: readonly Candle[]): string =>
  table(candles, [
    { title: 'open time (UTC)', of: ({ openTime }) => toMinuteText(openTime) },
    ...(['open', 'high', 'low', 'close', 'volume'] as const).map((name) => ({
      title: name,
      of: (candle: Candle) => candle[name],
      align: 'right' as const,
      decimals: true as const,
    })),
  ])
