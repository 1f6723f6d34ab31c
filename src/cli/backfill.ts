import { SingleBar } from 'cli-progress'
import { Command } from 'commander'
import { type BackfillResult, enqueueBackfill, runBackfill } from '../backfill.ts'
import { Fault, InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { type BackfillPlan, planBackfill, type SeriesPlan } from '../ingest/backfill-plan.ts'
import { minute, toIso, toMinuteText } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { hasWorkers } from '../runtime/presence.ts'
import { durationText } from '../settings/duration.ts'
import { listCoins } from '../store/coins.ts'
import { counted } from '../web/status/words.ts'
import { readRange, readTimeframes } from './arguments.ts'
import { countText, print, printJson, say, spanText, table } from './output.ts'
import { type DatabaseSession, withFleet } from './session.ts'

type BackfillOptions = Readonly<{
  timeframe: string
  from: string
  to: string
  source?: string
  archive: boolean
  dryRun?: boolean
  detach?: boolean
  force?: boolean
  json?: boolean
}>

export const backfillCommand = (): Command =>
  new Command('backfill')
    .description(
      'Bring in history: plan, then load whatever is still missing. The same command again goes on where it stopped.',
    )
    .argument('<coin...>', 'coin ids, as in `beacon coins list`')
    .requiredOption('--timeframe <list>', 'timeframes, separated by commas: 1m,1h')
    .requiredOption('--from <date>', 'first instant, UTC: 2024-03-01, 2024-03-01T12:00Z or -30d')
    .option('--to <date>', 'end, not included', 'now')
    .option(
      '--source <id>',
      "read this source's market, whatever the coin's order of markets; binance-archive: Binance's, from files wherever there are any",
    )
    .option('--no-archive', "ask Binance for all of it, page by page, instead of reading its archive's files")
    .option('--dry-run', 'stop after the plan')
    .option('--detach', 'leave the work to the daemon and return')
    .option('--force', 'also load what the next retention run would delete')
    .option('--json', 'answer as JSON')
    .action((coinIds: string[], options: BackfillOptions) =>
      withFleet((session, fleet) => backfill(session, fleet, coinIds, options)),
    )

async function backfill(
  session: DatabaseSession,
  fleet: Fleet,
  coinIds: readonly string[],
  options: BackfillOptions,
): Promise<void> {
  const { settings, clock, database, db } = session
  const now = clock.now()
  const wish = {
    coinIds: [...new Set(coinIds)],
    timeframes: readTimeframes(options.timeframe, settings),
    range: readRange(options.from, options.to, now),
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.archive ? {} : { archive: 'never' as const }),
  }
  const plan = await planBackfill(database.pool, settings, await listCoins(db), wish, now)
  if (options.dryRun) return finish({ plan: planJson(plan) }, planText(plan), options)
  if (!options.json) say(`${planText(plan)}\n`)
  if (plan.expiring > 0 && !options.force) throw refusal(plan)
  if (plan.candles === 0)
    return finish({ plan: planJson(plan) }, 'Nothing is missing: no request is needed.', options)
  if (options.detach) {
    const queued = await enqueueBackfill(fleet, plan)
    const who = (await hasWorkers(database.pool, fleet.engine.kind))
      ? 'the daemon works on them'
      : 'they wait for a daemon: npm start'
    return finish(
      { plan: planJson(plan), jobs: queued.map(({ id }) => id) },
      `${counted(queued.length, 'job')} in the queue; ${who}.`,
      options,
    )
  }
  const startedAt = clock.now()
  const result = await withProgress(plan.candles, (onProgress) =>
    runBackfill(fleet, plan, { signal: session.signal, onProgress }),
  )
  report(plan, result, clock.now() - startedAt, options)
}

function refusal({ series, expiring }: BackfillPlan): InvalidInput {
  const limits = series
    .filter((plan) => plan.expiring > 0 && plan.keepMs !== undefined)
    .map(({ series: { timeframe }, keepMs }) => `${timeframe} is kept ${durationText(keepMs ?? 0)}`)
  return new InvalidInput(
    `retention would delete ${countText(expiring)} of these candles at once (${[...new Set(limits)].join(', ')}); load them all the same with --force, or ask for a later --from`,
  )
}

function finish(value: object, text: string, { json }: BackfillOptions): void {
  if (json) printJson(value)
  else print(text)
}

function report(plan: BackfillPlan, result: BackfillResult, tookMs: number, { json }: BackfillOptions): void {
  if (json) printJson({ plan: planJson(plan), result, tookMs })
  else {
    const perSecond = tookMs > 0 ? Math.round((result.received * 1_000) / tookMs) : result.received
    print(
      `${countText(result.new)} new, ${countText(result.revised)} revised, ${countText(result.unchanged)} unchanged, ${countText(result.quarantined)} quarantined candles with ${counted(result.requests, 'request')} in ${spanText(tookMs)} (${countText(perSecond)} a second).`,
    )
  }
  const [first] = result.failed
  if (first) {
    throw new Incomplete(
      `${result.failed.length} of the jobs failed, the first (${first.chunk.coinId} ${first.chunk.timeframe} from ${first.chunk.from}) because ${first.error}; run the same command again to load what is missing`,
    )
  }
  if (result.remaining > 0) {
    throw new Incomplete(
      `${result.remaining === 1 ? '1 candle is' : `${countText(result.remaining)} candles are`} still missing; see why with: beacon gaps ${[...new Set(plan.series.map(({ series }) => series.coinId))].join(' ')}`,
    )
  }
}

/** The work has ended, and some of what was asked for is still missing. */
export class Incomplete extends Fault {
  readonly code = 'INCOMPLETE'
  readonly remedy = 'retry'
}

function planText(plan: BackfillPlan): string {
  const lines = table(plan.series, [
    { title: 'coin', of: ({ series }) => series.coinId },
    { title: 'market', of: ({ series, symbol }) => `${series.source}:${symbol}` },
    { title: 'timeframe', of: ({ series }) => series.timeframe },
    { title: 'from', of: ({ wanted }) => toMinuteText(wanted.from) },
    { title: 'to', of: ({ wanted }) => toMinuteText(wanted.to) },
    { title: 'missing candles', of: ({ candles }: SeriesPlan) => countText(candles), align: 'right' },
    ...(plan.archive.requests > 0
      ? [
          {
            title: 'files',
            of: ({ files }: SeriesPlan) => countText(files.length),
            align: 'right' as const,
          },
        ]
      : []),
    { title: 'requests', of: ({ requests }) => countText(requests), align: 'right' },
  ])
  const duration = plan.durationMs < minute ? 'less than a minute' : `about ${spanText(plan.durationMs)}`
  const totals = [
    ...archiveWords(plan),
    ...plan.series.flatMap(({ series: { source, timeframe }, symbol, outOfReach }) =>
      outOfReach === undefined
        ? []
        : [
            `${source} has no ${timeframe} candles of ${symbol} from before ${toMinuteText(outOfReach.to)}: that part is left out`,
          ],
    ),
    `${counted(plan.candles, 'candle')}, ${counted(plan.requests, 'request')} of weight ${countText(plan.weight)}, ${duration} at the request budget`,
    `${counted(plan.partitions.length, 'partition')} to make${plan.partitions.length > 0 ? `: ${shortened(plan.partitions)}` : ''}`,
    ...(plan.expiring > 0
      ? [
          `${countText(plan.expiring)} of the candles are past their retention and would be deleted by its next run`,
        ]
      : []),
  ]
  return `${lines}\n\n${totals.join('\n')}`
}

/** What comes from files, where anything does. */
function archiveWords({ archive: { monthly, daily, bytes } }: BackfillPlan): string[] {
  if (monthly + daily === 0) return []
  const files = `${counted(monthly, 'monthly file')} and ${counted(daily, 'daily file')}`
  const size = `about ${countText(Math.ceil(bytes / 1_000_000))} MB`
  return [
    `${files} of Binance's archive, ${size}; what they leave out is asked for on top of the requests below`,
  ]
}

const rangeJson = ({ from, to }: Range) => ({ from: toIso(from), to: toIso(to) })

/** The plan for other programs: instants are ISO text, as in every other answer. */
function planJson({ series, ...totals }: BackfillPlan) {
  const planned = series.map(({ wanted, outOfReach, owed, files, ...plan }) => ({
    ...plan,
    wanted: rangeJson(wanted),
    ...(outOfReach ? { outOfReach: rangeJson(outOfReach) } : {}),
    owed: owed.map(rangeJson),
    files: files.map(({ kind, range }) => ({ kind, ...rangeJson(range) })),
  }))
  return { ...totals, series: planned }
}

const shortened = (names: readonly string[]): string =>
  names.length <= 4 ? names.join(', ') : `${names[0]}, … ${names.at(-1)}`

/** Shows how far the work is, in candles: a bar on a terminal, now and then a line elsewhere. */
async function withProgress<T>(
  total: number,
  work: (onProgress: (done: number) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) {
    let saidPercent = 0
    return work((done) => {
      const percent = Math.floor((100 * done) / total)
      if (percent < saidPercent + 10) return
      saidPercent = percent
      say(`${countText(done)} of ${countText(total)} candles (${percent} %)`)
    })
  }
  const bar = new SingleBar({
    format: '{bar} {percentage} % | {value} of {total} candles | {eta_formatted} left',
    stream: process.stderr,
    hideCursor: true,
    etaBuffer: 50,
    forceRedraw: true,
  })
  bar.start(total, 0)
  try {
    return await work((done) => bar.update(Math.max(0, done)))
  } finally {
    bar.stop()
  }
}
