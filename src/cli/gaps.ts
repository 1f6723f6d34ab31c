import { Command } from 'commander'
import { runBackfill } from '../backfill.ts'
import { InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { type BackfillPlan, planBackfill } from '../ingest/backfill/plan.ts'
import type { BackfillResult } from '../ingest/backfill/summary.ts'
import type { GapCause } from '../ingest/gaps/causes.ts'
import { findGaps, type Gap } from '../ingest/gaps.ts'
import { toIso, toMinuteText } from '../market/instant.ts'
import { counted } from '../status/words.ts'
import { listCoins } from '../store/coins.ts'
import { forgetAbsence } from '../store/coverage.ts'
import {
  allCoins,
  asJson,
  fromDate,
  refuseCoinsBesideAll,
  someCoins,
  someTimeframes,
  toDate,
} from './arguments/options.ts'
import { chosenTimeframes, readRange } from './arguments.ts'
import { Incomplete } from './backfill.ts'
import { candlesIn, grouped, type Some } from './gaps/grouped.ts'
import { repairCommand, sayPastRetention, withinRetention } from './gaps/within-retention.ts'
import { inspectCommand } from './quarantine/inspect.ts'
import { failedText } from './queues/failed-jobs.ts'
import { chosenCoins } from './series/chosen-coins.ts'
import { type DatabaseSession, withDatabase, withFleet } from './session.ts'
import { answer, countText, print, say } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type GapsOptions = Readonly<{
  timeframe?: string
  from?: string
  to?: string
  repair?: boolean
  force?: boolean
  all?: boolean
  json?: boolean
}>

export const gapsCommand = (): Command =>
  new Command('gaps')
    .addArgument(someCoins())
    .addOption(allCoins())
    .addOption(someTimeframes())
    .addOption(fromDate())
    .addOption(toDate())
    .option('--repair', 'fetch what can be fetched')
    .option('--force', 'load also what the next retention run would delete')
    .addOption(asJson())
    .action((coinIds: string[], options: GapsOptions) => {
      if (options.force && !options.repair) throw new InvalidInput('--force needs --repair')
      return options.repair
        ? withFleet((session, fleet) => repair(session, fleet, coinIds, options))
        : withDatabase(async (session) => showGaps(await find(session, coinIds, options), options))
    })

async function find(
  { db, database, settings, clock }: DatabaseSession,
  coinIds: readonly string[],
  options: GapsOptions,
): Promise<Gap[]> {
  const now = clock.now()
  refuseCoinsBesideAll(coinIds, options.all)
  const coins = chosenCoins(await listCoins(db), coinIds, settings)
  if (options.to !== undefined && options.from === undefined) throw new InvalidInput('--to needs a --from')
  const range = options.from === undefined ? undefined : readRange(options.from, options.to ?? 'now', now)
  return findGaps(database.pool, settings, coins, chosenTimeframes(options.timeframe, settings), range, now)
}

const causes: Readonly<Record<GapCause, string>> = {
  'not-fetched': 'not fetched yet',
  'our-outage': 'not fetched: the daemon was down, or its runs failed',
  'no-partition': 'cannot be stored',
  late: 'just closed, the source may still be writing it',
  'no-trades': 'no trades: the source has no candle',
  'exchange-outage': 'outage of the source: none of its tracked markets has a candle',
  'before-first': 'not listed yet: before the first candle of the source',
  'not-listed': 'not listed yet: the symbol was of another market',
  delisted: 'the market had ended on its source',
  'beyond-source': 'older than what the source returns',
  'past-retention': 'past retention: deleted, or deleted again if loaded',
  refused: 'rejected, in quarantine',
  discarded: 'rejected, and discarded by hand: not requested again',
}

function showGaps(gaps: readonly Gap[], { json }: GapsOptions): void {
  const described = gaps.map((gap) => {
    const { range, ...rest } = gap
    const inspect = isRejected(gap) ? { inspect: inspectLine([gap]) } : {}
    return { ...rest, from: toIso(range.from), to: toIso(range.to), ...inspect }
  })
  answer(json, { gaps: described }, () =>
    gaps.length === 0 ? 'Nothing is missing.' : [gapsTable(gaps), ...inspectLines(gaps)].join('\n'),
  )
}

const isRejected = ({ cause }: Gap): boolean => cause === 'refused' || cause === 'discarded'

/** Shows the rejected rows of one series and cause. */
function inspectLine(gaps: Some<Gap>): string {
  const [{ coinId, timeframe, cause, range }] = gaps
  const { to } = (gaps.at(-1) ?? gaps[0]).range
  const inspected = { coinId, timeframe, candles: candlesIn(gaps), from: range.from, to }
  return inspectCommand(inspected, cause === 'discarded' ? 'resolved' : 'open')
}

function inspectLines(gaps: readonly Gap[]): string[] {
  const bySeries = grouped(
    gaps.filter(isRejected),
    ({ coinId, timeframe, cause }) => `${coinId} ${timeframe} ${cause}`,
  )
  return bySeries.length === 0
    ? []
    : ['', 'Inspect the rejected candles with:', ...bySeries.map((own) => `  ${inspectLine(own)}`)]
}

/** Gaps of one series and cause; many are summarized. */
type GapGroup = Readonly<{ gaps: Some<Gap> }>

const shownOneByOne = 5

function groupsOf(gaps: readonly Gap[]): GapGroup[] {
  const byCause = grouped(
    gaps,
    ({ coinId, timeframe, cause, detail = '' }) => `${coinId} ${timeframe} ${cause} ${detail}`,
  )
  return byCause.flatMap((alike): GapGroup[] =>
    alike.length <= shownOneByOne ? alike.map((gap) => ({ gaps: [gap] })) : [{ gaps: alike }],
  )
}

const lastOf = ({ gaps }: GapGroup): Gap => gaps.at(-1) ?? gaps[0]

const whyOf = ({ gaps }: GapGroup): string =>
  [
    causes[gaps[0].cause],
    ...(gaps.length === 1 ? [] : [` (${counted(gaps.length, 'gap')})`]),
    ...(gaps[0].detail === undefined ? [] : [`: ${gaps[0].detail}`]),
  ].join('')

const gapsTable = (gaps: readonly Gap[]): string =>
  table(groupsOf(gaps), [
    { title: 'coin', of: ({ gaps: [{ coinId }] }) => coinId },
    { title: 'timeframe', of: ({ gaps: [{ timeframe }] }) => timeframe },
    { title: 'from', of: ({ gaps: [{ range }] }) => toMinuteText(range.from) },
    { title: 'to', of: (group) => toMinuteText(lastOf(group).range.to) },
    { title: 'candles', of: (group) => countText(candlesIn(group.gaps)), align: 'right' },
    { title: 'why', of: whyOf, wraps: true },
  ])

/** What asking again may bring; what is past retention needs --force. What is late comes by itself, and the rest its source does not have for us. */
const fillable: readonly GapCause[] = [
  'not-fetched',
  'our-outage',
  'past-retention',
  'refused',
  'no-trades',
  'exchange-outage',
]

/** Years before a listing only if requested explicitly. */
const isFillable = ({ cause }: Gap, { from }: GapsOptions): boolean =>
  fillable.includes(cause) || (cause === 'before-first' && from !== undefined)

const isAbsence = ({ cause }: Gap): boolean =>
  cause === 'no-trades' || cause === 'exchange-outage' || cause === 'before-first'

/** Requests unanswered, rejected and absent candles again. */
async function repair(
  session: DatabaseSession,
  fleet: Fleet,
  coinIds: readonly string[],
  options: GapsOptions,
): Promise<void> {
  const { settings, clock, database, db, signal } = session
  const coins = await listCoins(db)
  const found = await find(session, coinIds, options)
  const repairable = found.filter((gap) => isFillable(gap, options))
  const asked = options.force ? repairable : await withinRetention(session, repairable)
  sayPastRetention(repairable, asked)
  const plans: BackfillPlan[] = []
  for (const gap of asked) {
    if (isAbsence(gap)) await forgetAbsence(db, gap, gap.range, clock.now())
    const request = {
      coinIds: [gap.coinId],
      timeframes: [gap.timeframe],
      range: gap.range,
      retryRejected: true,
    } as const
    plans.push(await planBackfill(database.pool, settings, coins, request, clock.now()))
  }
  sayPlans(asked)
  const failed = await runTogether(fleet, plans, signal)
  const left = await find(session, coinIds, options)
  if (!options.json) print('After the repair:')
  showGaps(left, options)
  if (failed.length > 0)
    throw new Incomplete(failedText(failed, `${repairCommand(asked)}${options.force ? ' --force' : ''}`))
}

function sayPlans(gaps: readonly Gap[]): void {
  for (const own of grouped(gaps, ({ coinId, timeframe }) => `${coinId} ${timeframe}`)) {
    const [first] = own
    const where =
      own.length === 1
        ? `from ${toMinuteText(first.range.from)}`
        : `in ${counted(own.length, 'gap')} from ${toMinuteText(first.range.from)} on`
    say(`${first.coinId} ${first.timeframe}: asking for ${counted(candlesIn(own), 'candle')} ${where}`)
  }
}

/** All plans together; returns the failed jobs. */
async function runTogether(
  fleet: Fleet,
  plans: readonly BackfillPlan[],
  signal: AbortSignal,
): Promise<BackfillResult['failed']> {
  const [first] = plans
  if (!first) return []
  const together: BackfillPlan = {
    ...first,
    series: plans.flatMap(({ series }) => series),
    candles: plans.reduce((sum, { candles }) => sum + candles, 0),
  }
  if (together.candles === 0) return []
  const { failed } = await runBackfill(fleet, together, { lane: 'repair', signal, onProgress: () => {} })
  return failed
}
