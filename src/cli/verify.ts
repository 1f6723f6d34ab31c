import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { Fault, InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { askAgain } from '../ingest/ask-again.ts'
import { addFilled, type Filled, nothingFilled } from '../ingest/candle-writer.ts'
import { planVerification, type VerificationPlan } from '../ingest/verify/verification-plan.ts'
import { type Verification, verifyCandles } from '../ingest/verify.ts'
import { toMinuteText } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { counted } from '../status/words.ts'
import {
  allCoins,
  asJson,
  namedCoins,
  refuseNoCoins,
  requiredFromDate,
  requiredTimeframes,
  toDate,
} from './arguments/options.ts'
import { readCount, readRange } from './arguments.ts'
import { type NamedSeries, readSeveralSeries } from './series/one-series.ts'
import { seriesCommand } from './series/series-command.ts'
import { verificationJson, verificationText } from './series/verification-text.ts'
import { type DatabaseSession, withFleet } from './session.ts'
import { withCountingBar } from './terminal/counting-bar.ts'
import { answer, countText, say, spanText } from './terminal/output.ts'

export type VerifyOptions = Readonly<{
  timeframe: string
  from: string
  to?: string
  all?: boolean
  source?: string
  sample?: string
  seed?: string
  repair?: boolean
  json?: boolean
}>

export const verifyCommand = (): Command =>
  new Command('verify')
    .addArgument(namedCoins())
    .addOption(allCoins())
    .addOption(requiredTimeframes())
    .addOption(requiredFromDate())
    .addOption(toDate())
    .option('--sample <pages>', 'read this many random pages; default: all')
    .option('--seed <text>', 'choose the same pages as the run that printed it')
    .option('--source <id>', 'compare only what came from this source, or from none')
    .option('--repair', "store the source's values; keep the old ones as revisions")
    .addOption(asJson())
    .action((names: string[], options: VerifyOptions) => {
      refuseNoCoins(names, options.all)
      return withFleet((session, fleet) => verifyAll(session, fleet, names, options))
    })

const mostPages = 1_000_000

async function verifyAll(
  session: DatabaseSession,
  fleet: Fleet,
  names: readonly string[],
  options: VerifyOptions,
): Promise<void> {
  if (options.seed !== undefined && options.sample === undefined)
    throw new InvalidInput('--seed chooses the pages of a sample: add --sample PAGES, such as --sample 5')
  const series = await readSeveralSeries(session, names, options.timeframe)
  const plans: VerificationPlan[] = []
  for (const one of series) plans.push(await planOne(session, one, options))
  const results: Result[] = []
  for (const plan of plans) results.push(await verifyOne(session, fleet, plan, options))
  answer(
    options.json,
    {
      verifications: results.map(({ plan, found, repaired }) => verificationJson(plan, found, repaired)),
    },
    () => results.map(({ plan, found, repaired }) => verificationText(plan, found, repaired)).join('\n\n'),
  )
  const differences = results.flatMap((result) => differenceOf(result) ?? [])
  if (differences.length > 0) throw new NotVerified(differences.join('\n  '))
}

type Result = Readonly<{ plan: VerificationPlan; found: Verification; repaired: Filled | undefined }>

function planOne(
  { settings, clock, db }: DatabaseSession,
  { coin, timeframe }: NamedSeries,
  { from, to = 'now', source, sample, seed }: VerifyOptions,
): Promise<VerificationPlan> {
  const now = clock.now()
  const request = {
    coin,
    timeframe,
    range: readRange(from, to, now),
    ...(source === undefined ? {} : { source }),
    ...(sample === undefined ? {} : { sample: readCount('--sample', sample, mostPages) }),
    seed: seed ?? randomBytes(4).toString('hex'),
  }
  return planVerification(db, settings, request, now)
}

async function verifyOne(
  { signal }: DatabaseSession,
  fleet: Fleet,
  plan: VerificationPlan,
  options: VerifyOptions,
): Promise<Result> {
  say(planWords(plan))
  const pausing = { signal, onPause: sayPause }
  const found = await withCountingBar(plan.candles, 'candles', (onProgress) =>
    verifyCandles(fleet.context, plan, { ...pausing, onProgress }),
  )
  const repaired = options.repair ? await repair(fleet, plan, found, pausing) : undefined
  return { plan, found, repaired }
}

export const sayPause = (reason: string, ms: number): void =>
  say(`${reason}: trying again in ${spanText(ms)}`)

function planWords({ coinId, timeframe, wanted, candles, sampled }: VerificationPlan): string {
  const part = sampled
    ? `, ${sampled.pages} of ${counted(sampled.of, 'page')}, chosen by --seed ${sampled.seed}`
    : ''
  return `reading ${countText(candles)} ${timeframe} candles of ${coinId} once more, ${rangeWords(wanted)}${part}`
}

const rangeWords = ({ from, to }: Range): string => `from ${toMinuteText(from)} to ${toMinuteText(to)}`

async function repair(
  { context }: Fleet,
  { coinId, timeframe }: VerificationPlan,
  { mendable }: Verification,
  pausing: Parameters<typeof askAgain>[3],
): Promise<Filled> {
  let filled = nothingFilled
  for (const {
    market: { source, symbol },
    ranges,
  } of mendable) {
    const series = { coinId, timeframe, source: source.id }
    const request = { series, source, symbol, ranges }
    filled = addFilled(filled, await askAgain(context, request, 'repair-differences', pausing))
  }
  return filled
}

/** They differ, or nothing could be compared. */
class NotVerified extends Fault {
  readonly code = 'NOT_VERIFIED'
  readonly remedy = 'give-up'
}

/** Undefined if verified. */
function differenceOf({ plan, found, repaired }: Result): string | undefined {
  const { coinId, timeframe, wanted } = plan
  const { revised, missing, extra, refused } = found.counts
  const series = `${coinId} ${timeframe}`
  const range = { coinId, timeframe, from: wanted.from, to: wanted.to }
  if (found.sources.length === 0)
    return `nothing of ${series} can be read again from a source. See what is stored with: ${seriesCommand('certificate', range)}`
  const stored = repaired === undefined ? 0 : repaired.new + repaired.revised + repaired.unchanged
  const left = Math.max(0, revised + missing - stored)
  const differ = `${counted(left, 'candle')} of ${series} ${left === 1 ? 'differs' : 'differ'} from the source`
  if (left > 0 && repaired === undefined)
    return `${differ}. Store the source's values with: ${seriesCommand('verify', range)} --repair`
  if (left > 0)
    return `${differ} and could not be repaired. Try again with: ${seriesCommand('verify', range)} --repair`
  if (extra + refused > 0)
    return `the source no longer returns ${counted(extra + refused, 'stored candle')} of ${series}. They are kept; compare again later with: ${seriesCommand('verify', range)}`
  return undefined
}
