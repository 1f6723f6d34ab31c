import { Command } from 'commander'
import { commandLine } from '../command-line.ts'
import { Fault, InvalidInput } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { type LeftAlone, planRetries, retryQuarantined } from '../ingest/quarantine/retry.ts'
import { type Instant, toIso, toMinuteText } from '../market/instant.ts'
import { counted } from '../status/words.ts'
import { listCoins } from '../store/coins.ts'
import { discard, listQuarantined, type QuarantinedRow, type QuarantineFilter } from '../store/quarantine.ts'
import type { Database } from '../store/transaction.ts'
import { asJson, fromDate, RequiredOption, toDate } from './arguments/options.ts'
import { readQuarantineFilter } from './arguments/quarantine-filter.ts'
import { readCount, readRange } from './arguments.ts'
import { acceptCommand } from './quarantine/accept.ts'
import { accountName, rowNamed, rowsNamed } from './quarantine/named-rows.ts'
import { type DatabaseSession, withDatabase, withFleet } from './session.ts'
import { answer, countText, say } from './terminal/output.ts'
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
    .option('--source <id>', 'select rows of this source')
    .option('--coin <coin>', 'select rows of this coin, by id or symbol')
    .option('--timeframe <name>', 'select candles of this timeframe')

type ListOptions = FilterOptions &
  Readonly<{ from?: string; to?: string; resolved?: boolean; limit: string; json?: boolean }>

const mostRows = 100_000

const listCommand = (): Command =>
  withFilters(new Command('list'))
    .description('List unresolved rejected rows, the last seen first.')
    .option('--reason <text>', 'select rows whose reason contains this')
    .addOption(fromDate())
    .addOption(toDate())
    .option('--resolved', 'list resolved rows instead')
    .option('--limit <count>', 'show at most this many rows', '20')
    .addOption(asJson())
    .action((options: ListOptions) =>
      withDatabase(async ({ db, clock }) => {
        const most = readCount('--limit', options.limit, mostRows)
        const state = options.resolved ? 'resolved' : 'open'
        const filter = {
          ...(await readQuarantineFilter(db, options)),
          ...rangeOf(options, clock.now()),
          state,
        } as const
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
    { title: 'first seen', of: ({ quarantinedAt }) => toMinuteText(quarantinedAt), leaveOut: 1 },
    { title: 'last seen', of: ({ lastSeenAt }) => toMinuteText(lastSeenAt), leaveOut: 3 },
    { title: 'count', of: ({ timesSeen }) => countText(timesSeen), align: 'right', leaveOut: 2 },
    { title: 'market', of: ({ source, market }) => `${source}:${market}` },
    { title: 'timeframe', of: ({ timeframe }) => timeframe ?? 'price' },
    {
      title: 'open time',
      of: ({ openTime, timeframe }) =>
        openTime === undefined ? (timeframe === undefined ? '' : 'unknown') : toMinuteText(openTime),
    },
    { title: 'now', of: (row) => stateWord(row) },
    { title: 'reason', of: ({ reason }) => reason, wraps: true },
  ])
  return rows.length < total
    ? `${lines}\n\nthe last ${rows.length} of ${countText(total)} rows; more with --limit`
    : lines
}

/** Resolution, stored from elsewhere, or open. */
const stateWord = ({ resolved, isStored }: QuarantinedRow): string =>
  resolved?.as ?? (isStored ? 'stored' : 'open')

function rowJson({ openTime, quarantinedAt, lastSeenAt, resolved, ...row }: QuarantinedRow) {
  return {
    ...row,
    openTime: openTime === undefined ? null : toIso(openTime),
    quarantinedAt: toIso(quarantinedAt),
    lastSeenAt: toIso(lastSeenAt),
    resolved: resolved === undefined ? null : { ...resolved, at: toIso(resolved.at) },
  }
}

const showCommand = (): Command =>
  new Command('show')
    .description('Show one row as the source returned it.')
    .argument('<id>', 'give the id of the row, or its beginning')
    .addOption(asJson())
    .action((id: string, { json }: { json?: boolean }) =>
      withDatabase(async ({ db }) => {
        const row = await rowNamed(db, id)
        answer(json, rowJson(row), () => rowText(row))
      }),
    )

function rowText(row: QuarantinedRow): string {
  const { id, source, market, coinId, timeframe, openTime, reason, raw, resolved } = row
  return [
    `id         ${id}`,
    `market     ${source}:${market}${coinId === undefined ? '' : `, ${coinId}`}`,
    `of         ${timeframe === undefined ? 'a price' : `a ${timeframe} candle, ${openTime === undefined ? 'open at a time that cannot be read' : `open at ${toMinuteText(openTime)}`}`}`,
    `seen       ${seenText(row)}`,
    `reason     ${reason}`,
    `raw        ${raw}`,
    ...(row.isStored ? ['table      has a candle for its open time'] : []),
    resolved === undefined
      ? 'resolved   no'
      : `resolved   ${resolved.as} at ${toMinuteText(resolved.at)} by ${resolved.by}${resolved.why === undefined ? '' : `: ${resolved.why}`}`,
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
    .description('Request rejected candles again; resolve rows that load.')
    .argument('[id...]', 'give ids of rows, or their beginnings')
    .option('--reason <text>', 'select rows whose reason contains this')
    .option('--all', 'select all unresolved rows, within the other options')
    .addOption(asJson())
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
  if (rows.length === 0) say('no unresolved row matches: nothing to request')
  const plan = planRetries(settings, await listCoins(db), rows, clock.now())
  const resolving = { by: accountName(), now: clock.now() }
  const { resolved, requests } = await retryQuarantined(context, plan, resolving, {
    signal,
    onPause: sayPause,
  })
  const as = (wanted: string) => [...resolved].filter(([, resolution]) => resolution === wanted)
  const open = plan.rows.filter(({ id }) => !resolved.has(id))
  const outcome = { loaded: as('loaded').length, withdrawn: as('withdrawn').length, open: open.length }
  const reported = plan.leftAlone.map(({ row, why }) => ({ id: row.id, why }))
  answer(options.json, { ...outcome, requests, leftAlone: reported }, () =>
    [
      `${counted(outcome.loaded, 'row')} resolved: the table has the candle now.`,
      ...(outcome.withdrawn > 0
        ? [`${counted(outcome.withdrawn, 'row')} resolved: the source has no candle there any more.`]
        : []),
      ...(outcome.open > 0
        ? [`${counted(outcome.open, 'row')} still unresolved: the source returned rejected values again.`]
        : []),
      ...leftAloneLines(plan.leftAlone),
      `${counted(requests, 'request')} made.`,
    ].join('\n'),
  )
  const left = [...open, ...plan.leftAlone.map(({ row }) => row)].filter(
    ({ resolved }) => resolved === undefined,
  )
  if (left.length > 0) {
    throw new StillOpen(
      `${counted(left.length, 'row')} could not be loaded. Try again later, or resolve them by hand with: ${discardLine(left)}`,
    )
  }
}

const shownIds = 20

/** Discards the rows, or the first of many. */
const discardLine = (rows: readonly QuarantinedRow[]): string =>
  commandLine`beacon quarantine discard ${rows
    .slice(0, shownIds)
    .map(({ id }) => id.slice(0, 8))} --reason "checked by hand"`

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
    throw new InvalidInput(
      'name rows by their ids, or select all unresolved ones with: beacon quarantine retry --all',
    )
  }
  if (ids.length > 0) {
    const { source, coin, timeframe, reason } = options
    if ([source, coin, timeframe, reason].some((one) => one !== undefined))
      throw new InvalidInput(
        '--source, --coin, --timeframe and --reason select among --all: leave the ids out',
      )
    return rowsNamed(db, ids)
  }
  const filter = await readQuarantineFilter(db, options)
  const { rows, total } = await listQuarantined(db, { ...filter, state: 'open' }, mostRows)
  if (total > rows.length) say(`the newest ${countText(rows.length)} of ${countText(total)} rows`)
  return rows
}

/** Rows per reason. */
function leftAloneLines(leftAlone: readonly LeftAlone[]): string[] {
  const counts = new Map<string, number>()
  for (const { why } of leftAlone) counts.set(why, (counts.get(why) ?? 0) + 1)
  return [...counts].map(([why, count]) => `${counted(count, 'row')} not requested: ${why}.`)
}

type DiscardOptions = Readonly<{ reason: string; by?: string; json?: boolean }>

const discardCommand = (): Command =>
  new Command('discard')
    .description('Resolve rows by hand; their candles are not requested again.')
    .argument('<id...>', 'give ids of rows, or their beginnings')
    .addOption(new RequiredOption('--reason <text>', 'record why (required)', "'outage of the exchange'"))
    .option('--by <name>', 'record who; default: the account that runs this')
    .addOption(asJson())
    .action((ids: string[], { reason, by = accountName(), json }: DiscardOptions) =>
      withDatabase(async ({ db, clock }) => {
        if (reason.trim() === '') throw new InvalidInput('--reason is empty: say why')
        if (by.trim() === '') throw new InvalidInput('--by is empty: name the person, or leave it out')
        const rows = await rowsNamed(db, ids)
        const resolving = { by, now: clock.now(), why: reason.trim() }
        const discarded = await discard(
          db,
          rows.map(({ id }) => id),
          resolving,
        )
        const resolvedBefore = rows.filter(({ id }) => !discarded.includes(id)).map(({ id }) => id)
        answer(json, { discarded, resolvedBefore }, () =>
          [
            `${counted(discarded.length, 'row')} discarded by ${by}.`,
            ...(resolvedBefore.length > 0
              ? [`${counted(resolvedBefore.length, 'row')} resolved before, and left unchanged.`]
              : []),
          ].join('\n'),
        )
      }),
    )
