import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { Fault, InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { askAgain } from '../ingest/ask-again.ts'
import { addFilled, type Filled, nothingFilled } from '../ingest/fill-range.ts'
import { planVerification, type VerificationPlan } from '../ingest/verification-plan.ts'
import { type Verification, verifyCandles } from '../ingest/verify.ts'
import { toMinuteText } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { counted } from '../status/words.ts'
import { readCount, readRange } from './arguments.ts'
import { withCountingBar } from './counting-bar.ts'
import { readSeries } from './one-series.ts'
import { answer, countText, say, spanText } from './output.ts'
import { type DatabaseSession, withFleet } from './session.ts'
import { verificationJson, verificationText } from './verification-text.ts'

export type VerifyOptions = Readonly<{
  timeframe: string
  from: string
  to: string
  source?: string
  sample?: string
  seed?: string
  repair?: boolean
  json?: boolean
}>

export const verifyCommand = (): Command =>
  new Command('verify')
    .argument('<coin>', 'coin id')
    .requiredOption('--timeframe <name>', 'such as 1m or 1h')
    .requiredOption('--from <date>', 'first instant, UTC: 2024-03-01, 2024-03-01T12:00Z or -30d')
    .option('--to <date>', 'end, not included', 'now')
    .option('--sample <pages>', 'only so many pages, chosen by chance; all of the range when left out')
    .option('--seed <text>', 'choose the pages as a run before has, which printed it')
    .option('--source <id>', 'only what came from this source, and what came from none')
    .option('--repair', 'then ask again for what is missing or differs, and keep the old values as revisions')
    .option('--json', 'answer as JSON')
    .action((coinId: string, options: VerifyOptions) =>
      withFleet((session, fleet) => verify(session, fleet, coinId, options)),
    )

const mostPages = 1_000_000

async function verify(
  session: DatabaseSession,
  fleet: Fleet,
  coinId: string,
  options: VerifyOptions,
): Promise<void> {
  const { settings, clock, db, signal } = session
  const now = clock.now()
  if (options.seed !== undefined && options.sample === undefined)
    throw new InvalidInput('--seed chooses the pages of a sample: add --sample PAGES')
  const { coin, timeframe } = await readSeries(session, coinId, options.timeframe)
  const plan = await planVerification(
    db,
    settings,
    {
      coin,
      timeframe,
      range: readRange(options.from, options.to, now),
      ...(options.source === undefined ? {} : { source: options.source }),
      ...(options.sample === undefined ? {} : { sample: readCount('--sample', options.sample, mostPages) }),
      seed: options.seed ?? randomBytes(4).toString('hex'),
    },
    now,
  )
  say(planWords(plan))
  const patience = { signal, onPause: sayPause }
  const found = await withCountingBar(plan.candles, 'candles', (onProgress) =>
    verifyCandles(fleet.context, plan, { ...patience, onProgress }),
  )
  const repaired = options.repair ? await repair(fleet, plan, found, patience) : undefined
  answer(options.json, verificationJson(plan, found, repaired), () => verificationText(plan, found, repaired))
  judge(plan, found, repaired)
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
  patience: Parameters<typeof askAgain>[3],
): Promise<Filled> {
  let filled = nothingFilled
  for (const {
    market: { source, symbol },
    ranges,
  } of mendable) {
    const series = { coinId, timeframe, source: source.id }
    const question = { series, source, symbol, ranges }
    filled = addFilled(filled, await askAgain(context, question, 'repair-differences', patience))
  }
  return filled
}

/** The table and the source differ, or nothing could be compared. */
class NotVerified extends Fault {
  readonly code = 'NOT_VERIFIED'
  readonly remedy = 'give-up'
}

function judge(
  { coinId, timeframe, wanted }: VerificationPlan,
  { counts, sources }: Verification,
  repaired: Filled | undefined,
): void {
  const { revised, missing, extra, refused } = counts
  if (sources.length === 0) {
    throw new NotVerified(
      `nothing of the range can be read again from a source; see what is stored with: beacon certificate ${coinId} ${timeframe} --from ${toMinuteText(wanted.from).replace(' ', 'T')}`,
    )
  }
  const mended = repaired === undefined ? 0 : repaired.new + repaired.revised + repaired.unchanged
  const left = Math.max(0, revised + missing - mended)
  if (left > 0 && repaired === undefined) {
    throw new NotVerified(
      `${counted(left, 'candle')} of the source ${left === 1 ? 'is' : 'are'} not as the table has ${left === 1 ? 'it' : 'them'}; take ${left === 1 ? 'it' : 'them'} over with the same command and --repair`,
    )
  }
  if (left > 0)
    throw new NotVerified(`${counted(left, 'candle')} could not be repaired; run the same command again`)
  if (extra + refused > 0) {
    throw new NotVerified(
      `${counted(extra + refused, 'stored candle')} cannot be had from the source as of now; run the same command again later, and keep them if it lost them`,
    )
  }
}
