import { Command, Option } from 'commander'
import { enqueueBackfill, runBackfill } from '../backfill.ts'
import { Fault, InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { type BackfillPlan, planBackfill } from '../ingest/backfill/plan.ts'
import { type BackfillResult, type RejectedCandles, readRejectedOf } from '../ingest/backfill/summary.ts'
import { earlier, later, toMinuteText } from '../market/instant.ts'
import { candleFrom } from '../market/range.ts'
import { hasWorkers } from '../runtime/presence.ts'
import { binanceArchive } from '../sources/binance-archive.ts'
import { counted } from '../status/words.ts'
import { listCoins } from '../store/coins.ts'
import { listQuarantined } from '../store/quarantine.ts'
import type { Database } from '../store/transaction.ts'
import {
  allCoins,
  asJson,
  namedCoins,
  refuseNoCoins,
  requiredFromDate,
  requiredTimeframes,
  toDate,
} from './arguments/options.ts'
import { readRange, readTimeframes } from './arguments.ts'
import { planJson, planText, retentionWords } from './backfill/plan-text.ts'
import { withProgress } from './backfill/progress-bar.ts'
import { resultText } from './backfill/report.ts'
import { inspectCommand } from './quarantine/inspect.ts'
import { failedText } from './queues/failed-jobs.ts'
import { chosenCoins } from './series/chosen-coins.ts'
import { seriesCommand } from './series/series-command.ts'
import { type DatabaseSession, withFleet } from './session.ts'
import { countText, print, printJson, say, terminalSize } from './terminal/output.ts'

type BackfillOptions = Readonly<{
  timeframe: string
  from: string
  to?: string
  all?: boolean
  source?: string
  archive: boolean
  dryRun?: boolean
  detach?: boolean
  force?: boolean
  json?: boolean
}>

export const backfillCommand = (): Command =>
  new Command('backfill')
    .addArgument(namedCoins())
    .addOption(allCoins())
    .addOption(requiredTimeframes())
    .addOption(requiredFromDate())
    .addOption(toDate())
    .option('--source <id>', 'read from this source, whatever the order of markets')
    .option('--no-archive', 'request all pages from Binance, none from its archive')
    .addOption(new Option('--dry-run', 'stop after the plan').conflicts('detach'))
    .option('--detach', 'leave the work to the daemon and return')
    .option('--force', 'load also what the next retention run would delete')
    .addOption(asJson())
    .action((coinIds: string[], options: BackfillOptions) =>
      withFleet((session, fleet) => backfill(session, fleet, coinIds, options), { mayCreate: true }),
    )

async function backfill(
  session: DatabaseSession,
  fleet: Fleet,
  coinIds: readonly string[],
  options: BackfillOptions,
): Promise<void> {
  const { settings, clock, database, db } = session
  if (!options.archive && options.source === binanceArchive.id)
    throw new InvalidInput(
      '--source binance-archive reads files, which --no-archive rules out: leave one out',
    )
  refuseNoCoins(coinIds, options.all)
  const now = clock.now()
  const coins = await listCoins(db)
  const request = {
    coinIds: chosenCoins(coins, coinIds, settings).map(({ id }) => id),
    timeframes: readTimeframes(options.timeframe, settings),
    range: readRange(options.from, options.to ?? 'now', now),
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.archive ? {} : { archive: 'never' as const }),
  }
  const plan = await planBackfill(database.pool, settings, coins, request, now, await fleet.pauses())
  if (options.dryRun) return finish({ plan: planJson(plan) }, planText(plan), options)
  if (!options.json) say(`${planText(plan, terminalSize(process.stderr))}\n`)
  if (plan.expiring > 0 && !options.force) throw refusal(plan, options)
  if (plan.candles === 0) {
    const rejected = await readRejectedOf(database.pool, plan)
    const rest = rejected.length > 0 ? 'Everything else is known' : 'Nothing is missing'
    finish({ plan: planJson(plan) }, `${rest}: no request is needed.`, options)
    return refuseRejected(db, plan, rejected)
  }
  if (options.detach) {
    const queued = await enqueueBackfill(fleet, plan)
    const who = (await hasWorkers(database.pool, fleet.engine.kind))
      ? `the daemon works on ${queued.length === 1 ? 'it' : 'them'}`
      : `${queued.length === 1 ? 'it waits' : 'they wait'} for a daemon: npm start`
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
  await refuseRejected(db, plan, result.rejected)
}

const refusal = (plan: BackfillPlan, options: BackfillOptions): InvalidInput =>
  new InvalidInput(
    `retention would delete ${countText(plan.expiring)} of these candles at once (${retentionWords(plan)}). Load them all the same with: ${sameCommand(plan, { ...options, force: true })}`,
  )

function finish(value: object, text: string, { json }: BackfillOptions): void {
  if (json) printJson(value)
  else print(text)
}

function report(plan: BackfillPlan, result: BackfillResult, tookMs: number, options: BackfillOptions): void {
  if (options.json) printJson({ plan: planJson(plan), result, tookMs })
  else print(resultText(result, tookMs))
  if (result.failed.length > 0) throw new Incomplete(failedText(result.failed, sameCommand(plan, options)))
  if (result.remaining > 0) {
    throw new Incomplete(
      `${result.remaining === 1 ? '1 candle is' : `${countText(result.remaining)} candles are`} still missing. See why with: ${gapsLine(plan)}`,
    )
  }
}

/** Rejected candles are missing until accepted or discarded. */
async function refuseRejected(
  db: Database,
  plan: BackfillPlan,
  rejected: readonly RejectedCandles[],
): Promise<void> {
  const [first, ...others] = rejected
  if (!first) return
  const candles = rejected.reduce((sum, series) => sum + series.candles, 0)
  const filter = { coinId: first.coinId, timeframe: first.timeframe, state: 'open' } as const
  const { rows } = await listQuarantined(db, { ...filter, range: candleFrom(first.from, first.timeframe) }, 1)
  const reason = rows[0] ? ` (${rows[0].reason})` : ''
  const at = `${toMinuteText(first.from)} UTC`
  const what =
    candles === 1
      ? `1 candle is missing: ${at} was rejected${reason}. Inspect it`
      : `${countText(candles)} candles are missing: they were rejected, the first, of ${at}${reason}. Inspect them`
  throw new Incomplete(`${what} with: ${others.length === 0 ? inspectCommand(first) : gapsLine(plan)}`)
}

const sameCommand = (plan: BackfillPlan, { source, archive, force }: BackfillOptions): string =>
  [
    seriesCommand('backfill', rangeOf(plan)),
    ...(source === undefined ? [] : [`--source ${source}`]),
    ...(archive ? [] : ['--no-archive']),
    ...(force ? ['--force'] : []),
  ].join(' ')

const gapsLine = (plan: BackfillPlan): string => seriesCommand('gaps', rangeOf(plan))

const rangeOf = ({ series }: BackfillPlan) => ({
  coinId: [...new Set(series.map((plan) => plan.series.coinId))],
  timeframe: [...new Set(series.map((plan) => plan.series.timeframe))],
  from: series.map(({ wanted }) => wanted.from).reduce(earlier),
  to: series.map(({ wanted }) => wanted.to).reduce(later),
})

/** Finished, but something is still missing. */
export class Incomplete extends Fault {
  readonly code = 'INCOMPLETE'
  readonly remedy = 'retry'
}
