import { Command } from 'commander'
import { Fault, InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { type LeftAlone, planRetries, retryQuarantined } from '../ingest/retry-quarantine.ts'
import { type Instant, toIso, toMinuteText } from '../market/instant.ts'
import { counted } from '../status/words.ts'
import { listCoins } from '../store/coins.ts'
import { discard, listQuarantined, type QuarantinedRow, type QuarantineFilter } from '../store/quarantine.ts'
import type { Database } from '../store/transaction.ts'
import { refuseWrongFilter } from './arguments/quarantine-filter.ts'
import { readCount, readRange } from './arguments.ts'
import { answer, countText, say } from './output.ts'
import { acceptCommand } from './quarantine/accept.ts'
import { accountName, rowNamed, rowsNamed } from './quarantine/named-rows.ts'
import { type DatabaseSession, withDatabase, withFleet } from './session.ts'
import { table } from './terminal/table.ts'
import { sayPause } from './verify.ts'

export const quarantineCommand = (): Command =>
  new Command('quarantine')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(retryCommand())
    .addCommand(acceptCommand())
    .addCommand(discardCommand())

type FilterOptions = Readonly<{ source?: string; coin?: string; timeframe?: string; reason?: string }>

const withFilters = (command: Command): Command =>
  command
    .option('--source <id>', 'only rows of this source')
    .option('--coin <id>', 'only rows of this coin')
    .option('--timeframe <name>', 'only candles of this timeframe')

const filterOf = ({ source, coin, timeframe, reason }: FilterOptions): Omit<QuarantineFilter, 'state'> => ({
  ...(source === undefined ? {} : { source }),
  ...(coin === undefined ? {} : { coinId: coin }),
  ...(timeframe === undefined ? {} : { timeframe }),
  ...(reason === undefined ? {} : { reason }),
})

type ListOptions = FilterOptions &
  Readonly<{ from?: string; to?: string; settled?: boolean; limit: string; json?: boolean }>

const mostRows = 100_000

const listCommand = (): Command =>
  withFilters(new Command('list'))
    .description('List unresolved rejected rows, the last seen first.')
    .option('--reason <text>', 'only rows whose reason has this in it')
    .option('--from <date>', 'only rows of candles from then on, UTC')
    .option('--to <date>', 'only rows of candles before then, UTC')
    .option('--settled', 'only those that are settled')
    .option('--limit <count>', 'how many', '20')
    .option('--json', 'answer as JSON')
    .action((options: ListOptions) =>
      withDatabase(async ({ db, clock }) => {
        const most = readCount('--limit', options.limit, mostRows)
        await refuseWrongFilter(db, options)
        const state = options.settled ? 'settled' : 'open'
        const filter = { ...filterOf(options), ...rangeOf(options, clock.now()), state } as const
        const { rows, total } = await listQuarantined(db, filter, most)
        answer(options.json, { total, rows: rows.map(rowJson) }, () => listText(rows, total))
      }),
    )

const beginningOfTime = '1970-01-01'

function rangeOf(options: ListOptions, now: Instant): Pick<QuarantineFilter, 'range'> {
  if (options.from === undefined && options.to === undefined) return {}
  const { from = beginningOfTime, to = 'now' } = options
  return { range: readRange(from, to, now) }
}

function listText(rows: readonly QuarantinedRow[], total: number): string {
  if (rows.length === 0) return 'No rows match.'
  const lines = table(rows, [
    { title: 'id', of: ({ id }) => id.slice(0, 8) },
    { title: 'first seen', of: ({ quarantinedAt }) => toMinuteText(quarantinedAt) },
    { title: 'last seen', of: ({ lastSeenAt }) => toMinuteText(lastSeenAt) },
    { title: 'count', of: ({ timesSeen }) => countText(timesSeen), align: 'right' },
    { title: 'market', of: ({ source, market }) => `${source}:${market}` },
    { title: 'timeframe', of: ({ timeframe }) => timeframe ?? 'price' },
    {
      title: 'open time',
      of: ({ openTime, timeframe }) =>
        openTime === undefined ? (timeframe === undefined ? '' : 'unknown') : toMinuteText(openTime),
    },
    { title: 'now', of: (row) => stateWord(row) },
    { title: 'reason', of: ({ reason }) => shortened(reason) },
  ])
  return rows.length < total
    ? `${lines}\n\nthe last ${rows.length} of ${countText(total)} rows; more with --limit`
    : lines
}

/** What holds of the open time: settled as …, stored from elsewhere, or open. */
const stateWord = ({ settled, isStored }: QuarantinedRow): string =>
  settled?.as ?? (isStored ? 'stored' : 'open')

const longestReason = 80
const shortened = (text: string): string =>
  text.length <= longestReason ? text : `${text.slice(0, longestReason - 1)}…`

function rowJson({ openTime, quarantinedAt, lastSeenAt, settled, ...row }: QuarantinedRow) {
  return {
    ...row,
    openTime: openTime === undefined ? null : toIso(openTime),
    quarantinedAt: toIso(quarantinedAt),
    lastSeenAt: toIso(lastSeenAt),
    settled: settled === undefined ? null : { ...settled, at: toIso(settled.at) },
  }
}

const showCommand = (): Command =>
  new Command('show')
    .description('One row, as it came.')
    .argument('<id>', 'its id, or as much of its beginning as tells it from the others')
    .option('--json', 'answer as JSON')
    .action((id: string, { json }: { json?: boolean }) =>
      withDatabase(async ({ db }) => {
        const row = await rowNamed(db, id)
        answer(json, rowJson(row), () => rowText(row))
      }),
    )

function rowText(row: QuarantinedRow): string {
  const { id, source, market, coinId, timeframe, openTime, reason, raw, settled } = row
  return [
    `id         ${id}`,
    `market     ${source}:${market}${coinId === undefined ? '' : `, ${coinId}`}`,
    `of         ${timeframe === undefined ? 'a price' : `a ${timeframe} candle, ${openTime === undefined ? 'open at a time that cannot be read' : `open at ${toMinuteText(openTime)}`}`}`,
    `seen       ${seenText(row)}`,
    `reason     ${reason}`,
    `raw        ${raw}`,
    ...(row.isStored ? ['table      has a candle for its open time'] : []),
    settled === undefined
      ? 'settled    no'
      : `settled    ${settled.as} at ${toMinuteText(settled.at)} by ${settled.by}${settled.why === undefined ? '' : `: ${settled.why}`}`,
  ].join('\n')
}

function seenText({ timesSeen, quarantinedAt, lastSeenAt, runId }: QuarantinedRow): string {
  const run = runId === undefined ? '' : `, by run ${runId}`
  if (timesSeen === 1) return `once, at ${toMinuteText(quarantinedAt)}${run}`
  return `${countText(timesSeen)} times, first at ${toMinuteText(quarantinedAt)}, last at ${toMinuteText(lastSeenAt)}${run}`
}

type RetryOptions = FilterOptions & Readonly<{ all?: boolean; json?: boolean }>

const retryCommand = (): Command =>
  withFilters(new Command('retry'))
    .description('Ask the source once more for exactly these candles, and settle the rows that load now.')
    .argument('[id...]', 'ids, or their beginnings')
    .option('--reason <text>', 'only rows whose reason has this in it')
    .option('--all', 'all open rows, or those that --source, --coin, --timeframe and --reason leave')
    .option('--json', 'answer as JSON')
    .action((ids: string[], options: RetryOptions) =>
      withFleet((session, fleet) => retry(session, fleet, ids, options)),
    )

async function retry(
  { db, settings, clock, signal }: DatabaseSession,
  { context }: Fleet,
  ids: readonly string[],
  options: RetryOptions,
): Promise<void> {
  const rows = await chosenRows(db, ids, options)
  if (rows.length === 0) say('no open row is like that: there is nothing to ask for')
  const plan = planRetries(settings, await listCoins(db), rows, clock.now())
  const settling = { by: accountName(), now: clock.now() }
  const { settled, requests } = await retryQuarantined(context, plan, settling, {
    signal,
    onPause: sayPause,
  })
  const as = (wanted: string) => [...settled].filter(([, settlement]) => settlement === wanted)
  const open = plan.rows.filter(({ id }) => !settled.has(id))
  const outcome = { loaded: as('loaded').length, withdrawn: as('withdrawn').length, open: open.length }
  const told = plan.leftAlone.map(({ row, why }) => ({ id: row.id, why }))
  answer(options.json, { ...outcome, requests, leftAlone: told }, () =>
    [
      `${counted(outcome.loaded, 'row')} settled: the table has the candle now.`,
      ...(outcome.withdrawn > 0
        ? [`${counted(outcome.withdrawn, 'row')} settled: the source has no candle there any more.`]
        : []),
      ...(outcome.open > 0
        ? [`${counted(outcome.open, 'row')} still open: the source gives nothing that can be believed.`]
        : []),
      ...leftAloneLines(plan.leftAlone),
      `${counted(requests, 'request')} made.`,
    ].join('\n'),
  )
  const left = open.length + plan.leftAlone.filter(({ row }) => row.settled === undefined).length
  if (left > 0) {
    throw new StillOpen(
      `${counted(left, 'row')} could not be loaded; try again later, or settle them with: beacon quarantine discard ID --reason TEXT`,
    )
  }
}

/** Rows stay in quarantine. */
class StillOpen extends Fault {
  readonly code = 'STILL_OPEN'
  readonly remedy = 'retry'
}

async function chosenRows(
  db: Database,
  ids: readonly string[],
  options: RetryOptions,
): Promise<QuarantinedRow[]> {
  if (ids.length > 0 === (options.all === true)) {
    throw new InvalidInput('name the rows by their ids, or all open ones with --all')
  }
  if (ids.length > 0) {
    if (Object.keys(filterOf(options)).length > 0)
      throw new InvalidInput(
        '--source, --coin, --timeframe and --reason choose among --all: leave the ids out',
      )
    return rowsNamed(db, ids)
  }
  await refuseWrongFilter(db, options)
  const { rows, total } = await listQuarantined(db, { ...filterOf(options), state: 'open' }, mostRows)
  if (total > rows.length) say(`the newest ${countText(rows.length)} of ${countText(total)} rows`)
  return rows
}

/** One line for each reason, with how many rows it holds for. */
function leftAloneLines(leftAlone: readonly LeftAlone[]): string[] {
  const counts = new Map<string, number>()
  for (const { why } of leftAlone) counts.set(why, (counts.get(why) ?? 0) + 1)
  return [...counts].map(([why, count]) => `${counted(count, 'row')} not asked for: ${why}.`)
}

type DiscardOptions = Readonly<{ reason: string; by?: string; json?: boolean }>

const discardCommand = (): Command =>
  new Command('discard')
    .description(
      'Settle rows by hand: their open times count as absent and are not asked for again. The rows stay.',
    )
    .argument('<id...>', 'ids, or their beginnings')
    .requiredOption('--reason <text>', 'why, for whoever looks later')
    .option('--by <name>', 'who settles them; the account that runs the command when left out')
    .option('--json', 'answer as JSON')
    .action((ids: string[], { reason, by = accountName(), json }: DiscardOptions) =>
      withDatabase(async ({ db, clock }) => {
        if (reason.trim() === '') throw new InvalidInput('--reason is empty: say why')
        if (by.trim() === '') throw new InvalidInput('--by is empty: name the person, or leave it out')
        const rows = await rowsNamed(db, ids)
        const settling = { by, now: clock.now(), why: reason.trim() }
        const discarded = await discard(
          db,
          rows.map(({ id }) => id),
          settling,
        )
        const settledBefore = rows.filter(({ id }) => !discarded.includes(id)).map(({ id }) => id)
        answer(json, { discarded, settledBefore }, () =>
          [
            `${counted(discarded.length, 'row')} discarded by ${by}.`,
            ...(settledBefore.length > 0
              ? [`${counted(settledBefore.length, 'row')} settled before, and left as it was.`]
              : []),
          ].join('\n'),
        )
      }),
    )
