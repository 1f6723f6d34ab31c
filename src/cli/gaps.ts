import { Command } from 'commander'
import { runBackfill } from '../backfill.ts'
import { InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { planBackfill } from '../ingest/backfill-plan.ts'
import { findGaps, type Gap, type GapCause } from '../ingest/gaps.ts'
import { toIso, toMinuteText } from '../market/instant.ts'
import { type Timeframe, timeframes } from '../market/timeframe.ts'
import { listCoins } from '../store/coins.ts'
import { forgetAbsence } from '../store/coverage.ts'
import { counted } from '../web/status/words.ts'
import { readRange, readTimeframes } from './arguments.ts'
import { Incomplete } from './backfill.ts'
import { chosenCoins } from './chosen-coins.ts'
import { answer, countText, print, say, table } from './output.ts'
import { type DatabaseSession, withDatabase, withFleet } from './session.ts'

type GapsOptions = Readonly<{
  timeframe?: string
  from?: string
  to?: string
  repair?: boolean
  json?: boolean
}>

export const gapsCommand = (): Command =>
  new Command('gaps')
    .description('What is missing, and why.')
    .argument('[coin...]', 'coin ids; all followed ones when none is named')
    .option('--timeframe <list>', 'timeframes, separated by commas; all that are kept when left out')
    .option('--from <date>', 'first instant, UTC; the history that the daemon keeps when left out')
    .option('--to <date>', 'end, not included; now when left out')
    .option('--repair', 'fill what can be filled')
    .option('--json', 'answer as JSON')
    .action((coinIds: string[], options: GapsOptions) =>
      options.repair
        ? withFleet((session, fleet) => repair(session, fleet, coinIds, options))
        : withDatabase(async (session) => showGaps(await find(session, coinIds, options), options)),
    )

async function find(
  { db, database, settings, clock }: DatabaseSession,
  coinIds: readonly string[],
  options: GapsOptions,
): Promise<Gap[]> {
  const now = clock.now()
  const coins = chosenCoins(await listCoins(db), coinIds)
  if (options.to !== undefined && options.from === undefined) throw new InvalidInput('--to needs a --from')
  const range = options.from === undefined ? undefined : readRange(options.from, options.to ?? 'now', now)
  return findGaps(database.pool, settings, coins, chosenTimeframes(options, settings), range, now)
}

const chosenTimeframes = ({ timeframe }: GapsOptions, settings: DatabaseSession['settings']): Timeframe[] =>
  timeframe === undefined
    ? timeframes.filter((name) => settings.timeframes[name])
    : readTimeframes(timeframe, settings)

const causes: Readonly<Record<GapCause, string>> = {
  'not-fetched': 'not fetched yet',
  'no-trades': 'the source has no candle: no trades, or its own outage',
  'before-first': 'before the first candle of the source',
  refused: 'not believed, kept in quarantine',
  late: 'just closed, the source may still be writing it',
}

function showGaps(gaps: readonly Gap[], { json }: GapsOptions): void {
  const asJson = gaps.map(({ range, ...gap }) => ({ ...gap, from: toIso(range.from), to: toIso(range.to) }))
  answer(json, { gaps: asJson }, () => (gaps.length === 0 ? 'Nothing is missing.' : gapsTable(gaps)))
}

const gapsTable = (gaps: readonly Gap[]): string =>
  table(gaps, [
    { title: 'coin', of: ({ coinId }) => coinId },
    { title: 'timeframe', of: ({ timeframe }) => timeframe },
    { title: 'from', of: ({ range }) => toMinuteText(range.from) },
    { title: 'to', of: ({ range }) => toMinuteText(range.to) },
    { title: 'candles', of: ({ candles }) => countText(candles), align: 'right' },
    { title: 'why', of: ({ cause }) => causes[cause] },
  ])

/** Asks again for what was never answered, what was refused, and what the source said it does not have. */
async function repair(
  session: DatabaseSession,
  fleet: Fleet,
  coinIds: readonly string[],
  options: GapsOptions,
): Promise<void> {
  const { settings, clock, database, db, signal } = session
  const coins = await listCoins(db)
  const failed: string[] = []
  for (const gap of await find(session, coinIds, options)) {
    // The years before a listing are asked for again only where somebody names them.
    if (gap.cause === 'late' || (gap.cause === 'before-first' && options.from === undefined)) continue
    if (gap.cause === 'no-trades' || gap.cause === 'before-first')
      await forgetAbsence(db, gap, gap.range, clock.now())
    const wish = { coinIds: [gap.coinId], timeframes: [gap.timeframe], range: gap.range }
    const plan = await planBackfill(database.pool, settings, coins, wish, clock.now())
    if (plan.candles === 0) continue
    say(
      `${gap.coinId} ${gap.timeframe}: asking for ${counted(plan.candles, 'candle')} from ${toMinuteText(gap.range.from)}`,
    )
    const result = await runBackfill(fleet, plan, { lane: 'repair', signal, onProgress: () => {} })
    failed.push(...result.failed.map(({ error }) => `${gap.coinId} ${gap.timeframe}: ${error}`))
  }
  const left = await find(session, coinIds, options)
  if (!options.json) print('After the repair:')
  showGaps(left, options)
  if (failed.length > 0)
    throw new Incomplete(
      `${failed.length} of the jobs failed, the first, ${failed[0]}; run the same command again`,
    )
}
