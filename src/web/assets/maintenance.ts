// Jobs, tables, retention, archive.

import type { Maintenance, NextRetention } from '../../status/maintenance.ts'
import type { Status } from '../../status/status.ts'
import { ask, base } from './ask.ts'
import { type Child, draw, h } from './elements/dom.ts'
import { age, bytes, count, counted, day, instant, secondsBetween, took, until } from './elements/words.ts'
import { type Column, cell, errorRow, followErrors, nothing, outcome, table, time } from './elements.ts'

type Places = Readonly<Record<'jobs' | 'archives' | 'retention', Element>>

/** The result requests and draws. */
export function openMaintenance(places: Places): (status: Status) => Promise<void> {
  let redrawJobs = () => {}
  followErrors(places.jobs, () => redrawJobs())
  return async ({ generatedAt }) => {
    const [{ jobs, archives }, plan] = await Promise.all([ask('/api/maintenance'), ask('/api/retention')])
    // Unreachable daemons are shown elsewhere.
    if (jobs) {
      redrawJobs = () => drawJobs(places.jobs, jobs, generatedAt)
      redrawJobs()
    }
    if (archives) drawArchives(places.archives, archives)
    if (plan.partitions) drawRetention(places.retention, plan, generatedAt)
  }
}

const jobColumns: readonly Column[] = [
  ['Job'],
  ['Last run', 'number'],
  ['Took', 'number'],
  ['Result'],
  ['Next run', 'number'],
]

function drawJobs(place: Element, jobs: Maintenance['jobs'], now: string): void {
  const rows = jobs.flatMap(({ job, summary, schedules, nextRun, lastRun }): Child[] => [
    h(
      'tr',
      {},
      h('th', { scope: 'row', title: summary }, job),
      cell(
        'last',
        'number faint',
        lastRun ? time(lastRun.startedAt, `${age(secondsBetween(lastRun.startedAt, now))} ago`) : 'never yet',
      ),
      cell('took', 'number', lastRun ? took(lastRun.tookMs) : ''),
      cell('result', '', lastRun && outcome(lastRun)),
      cell(
        'next',
        'number',
        nextRun === null
          ? h('span', { class: 'faint' }, 'when asked')
          : time(nextRun, until(secondsBetween(now, nextRun))),
        schedules > 1 && h('span', { class: 'faint' }, ` · ${counted(schedules, 'schedule')}`),
      ),
    ),
    lastRun?.error ? errorRow(`job ${job}`, jobColumns.length, lastRun.error) : null,
  ])
  draw(place, table('When each job ran and runs next', jobColumns, rows, { class: 'cards' }))
}

const endings: Readonly<Record<string, string>> = {
  drop: 'dropped',
  archive: 'archived',
  'roll-up': 'rolled up',
}

export function drawStorage(place: Element, { partitions }: Status): void {
  const rows = partitions.map(({ table: name, partitions, bytes: size, estimatedRows, ...rest }) => {
    const { daysAhead, newestBound, keptDays, ending, unbounded } = rest
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      cell(
        'partitions',
        `number ${unbounded.length > 0 ? 'warns' : ''}`,
        count(partitions),
        unbounded.length > 0 && h('span', { class: 'faint' }, ` + ${unbounded.join(', ')}, without bounds`),
      ),
      // Not analyzed yet.
      cell('rows', 'number', estimatedRows === 0 ? '–' : `~ ${count(estimatedRows)}`),
      cell('size', 'number', bytes(size)),
      cell(
        'ahead',
        `number ${daysAhead < 1 ? 'warns' : ''}`,
        newestBound === null ? 'none' : time(newestBound, ahead(daysAhead)),
      ),
      cell(
        'kept',
        '',
        keptDays === null ? 'for ever' : `${counted(keptDays, 'day')}, then ${endings[ending ?? '']}`,
      ),
    )
  })
  const columns: Column[] = [
    ['Table'],
    ['Partitions', 'number'],
    ['Rows', 'number'],
    ['Size', 'number'],
    ['Made ahead', 'number'],
    ['Kept'],
  ]
  draw(place, table('The partitions of each table', columns, rows, { class: 'cards' }))
}

const ahead = (days: number): string =>
  days < 2 ? `${Math.round(days * 24)} h` : counted(Math.floor(days), 'day')

const fates: Readonly<Record<string, string>> = {
  drop: 'dropped',
  archive: 'archived, read back and dropped',
  'roll-up': 'rolled up, compared and dropped',
}
const mostPartitions = 12

type Partition = NextRetention['partitions'][number]
type OldRows = NextRetention['rows'][number]

/** Unbounded partitions lack some fields. */
type ShownPartition = Readonly<{
  name: string
  decision: string
  reason: string
  bytes: number
  bounds?: string
  partition?: Partition
}>

const shownPartition = (partition: Partition): ShownPartition => ({ ...partition, partition })

/** They never expire. */
const unboundedPartition = ({
  name,
  bounds,
  bytes: size,
  hold,
}: NextRetention['unbounded'][number]): ShownPartition => ({
  name,
  bounds,
  bytes: size,
  decision: 'held-back',
  reason: hold.remedy === null ? hold.reason : `${hold.reason}: ${hold.remedy}`,
})

/** What the next run does, or the first deletion per table. */
function drawRetention(place: Element, plan: NextRetention, now: string): void {
  const going = plan.partitions.filter(({ decision }) => decision === 'goes')
  const held = [
    ...plan.partitions.filter(({ decision }) => decision === 'held-back').map(shownPartition),
    ...plan.unbounded.map(unboundedPartition),
  ]
  const tables = [...new Set(plan.partitions.map(({ table: name }) => name))]
  const waiting = tables.flatMap((name) => firstToGo(plan.partitions, name) ?? [])
  const rows = [
    ...[...going.map(shownPartition), ...held]
      .slice(0, mostPartitions)
      .map((partition) => partitionRow(partition, plan)),
    ...plan.rows.filter(({ rows: old }) => old !== 0).map((old) => oldRowsRow(old, plan)),
    ...waiting.map((partition) => laterRow(partition)),
  ]
  const columns: Column[] = [
    ['What'],
    ['Of'],
    ['Rows', 'number'],
    ['Size', 'number'],
    ['When', 'number'],
    ['Becomes'],
  ]
  const more = going.length + held.length - mostPartitions
  draw(
    place,
    h(
      'p',
      { class: 'note inset' },
      messageOf(plan, going, held),
      ' ',
      time(
        plan.nextRun,
        `It runs at ${instant(plan.nextRun)} UTC, in ${age(secondsBetween(now, plan.nextRun))}.`,
      ),
    ),
    rows.length > 0 && table('What retention will do, and when', columns, rows, { class: 'cards' }),
    more > 0 &&
      h('p', { class: 'note inset' }, `And ${counted(more, 'partition')} more: beacon retention --dry-run`),
  )
}

function messageOf(
  { refusal }: NextRetention,
  going: readonly Partition[],
  held: readonly unknown[],
): string {
  if (refusal !== null) return `The next run will delete nothing: ${refusal}.`
  const sum = (name: 'rows' | 'bytes') => going.reduce((total, partition) => total + partition[name], 0)
  const parts = [
    going.length > 0 &&
      `delete ${counted(going.length, 'partition')} with ${counted(sum('rows'), 'row')}, ${bytes(sum('bytes'))}`,
    held.length > 0 && `hold back ${counted(held.length, 'partition')}`,
  ].filter((part) => part !== false)
  return parts.length === 0
    ? 'The next run has no partition to delete.'
    : `The next run will ${parts.join(', and ')}.`
}

const partitionRow = (
  { name, bounds, bytes: size, decision, reason, partition }: ShownPartition,
  { nextRun, holds }: NextRetention,
): HTMLElement =>
  h(
    'tr',
    { class: decision },
    h('th', { scope: 'row' }, name),
    cell('of', 'faint', partition ? span(partition.from, partition.to) : bounds),
    cell('rows', 'number', partition ? `${partition.isExact ? '' : '~ '}${count(partition.rows)}` : '–'),
    cell('size', 'number', bytes(size)),
    cell('when', 'number', decision === 'goes' ? time(nextRun, instant(nextRun)) : 'not yet'),
    cell(
      'becomes',
      decision === 'goes' && !heldBefore(holds, name) ? '' : 'warns',
      decision === 'goes' && partition
        ? [fates[partition.ending], heldBefore(holds, name)]
        : `held back: ${reason}`,
    ),
  )

/** Reason of the last run. */
function heldBefore(holds: NextRetention['holds'], name: string): string | undefined {
  const hold = holds.find((one) => one.name === name)
  if (!hold) return undefined
  return ` · held back since ${instant(hold.heldSince)} UTC: ${hold.reason}${hold.remedy === null ? '' : `: ${hold.remedy}`}`
}

const oldRowsRow = (
  { table: name, before, rows, ending }: OldRows,
  { nextRun }: NextRetention,
): HTMLElement =>
  h(
    'tr',
    { class: rows === null ? 'later' : null },
    h('th', { scope: 'row' }, name),
    cell('of', 'faint', `older than ${day(before)}`),
    cell('rows', 'number', rows === null ? 'locked' : count(rows)),
    cell('size', 'number', ''),
    cell('when', 'number', time(nextRun, instant(nextRun))),
    cell('becomes', '', ending === 'archive' ? 'archived and deleted' : 'deleted'),
  )

/** The first partition to expire, if none expires now. */
function firstToGo(partitions: readonly Partition[], name: string): Partition | undefined {
  const own = partitions.filter(({ table: of }) => of === name)
  if (own.some(({ decision }) => decision !== 'stays')) return undefined
  return own.toSorted((a, b) => Date.parse(a.keptUntil) - Date.parse(b.keptUntil))[0]
}

const laterRow = ({ name, from, to, rows, bytes: size, ending, keptUntil }: Partition): HTMLElement =>
  h(
    'tr',
    { class: 'later' },
    h('th', { scope: 'row' }, name),
    cell('of', '', span(from, to)),
    cell('rows', 'number', count(rows)),
    cell('size', 'number', bytes(size)),
    cell('when', 'number', time(keptUntil, `after ${day(keptUntil)}`)),
    cell('becomes', '', fates[ending]),
  )

const span = (from: string, to: string): string => {
  const last = new Date(Date.parse(to) - 1).toISOString()
  return day(from) === day(last) ? day(from) : `${day(from)} → ${day(last)}`
}

type Fact = readonly [name: string, value: Child, note?: Child]

function drawArchives(place: Element, archives: Maintenance['archives']): void {
  const {
    files,
    rows,
    bytes: size,
    unverified,
    newest,
    lastVerifiedAt,
    longestUnreadAt,
    lastCheck,
  } = archives
  if (files === 0 && lastCheck === null) {
    draw(place, nothing('Nothing has been archived yet.'))
    return
  }
  const facts: Fact[] = lastCheck ? [['Last check', ...checkFact(lastCheck)]] : []
  if (files > 0)
    facts.push(
      ['Files', count(files), unverified > 0 && `${count(unverified)} more not read back yet`],
      ['Rows', count(rows)],
      ['Size', bytes(size)],
    )
  if (newest)
    facts.push(['Newest', newest.name, `${count(newest.rows)} rows, ${instant(newest.createdAt)} UTC`])
  if (lastVerifiedAt) facts.push(['Last read back', time(lastVerifiedAt, `${instant(lastVerifiedAt)} UTC`)])
  if (longestUnreadAt && lastVerifiedAt && instant(longestUnreadAt) !== instant(lastVerifiedAt))
    facts.push([
      'Longest not read',
      time(longestUnreadAt, `since ${instant(longestUnreadAt)} UTC`),
      'beacon archive verify',
    ])
  draw(
    place,
    h(
      'dl',
      { class: 'facts' },
      facts.map(([name, value, note]) =>
        h('div', {}, h('dt', {}, name), h('dd', {}, value, note && h('span', {}, note))),
      ),
    ),
  )
}

/** Last archive check. */
const checkFact = ({
  checkedAt,
  problems,
  liveRows,
  archivedRows,
  first,
}: NonNullable<Maintenance['archives']['lastCheck']>): [Child, Child] => [
  time(checkedAt, `${instant(checkedAt)} UTC`),
  problems === 0
    ? `${count(liveRows + archivedRows)} candles are as they were written`
    : [
        h('b', { class: 'warns' }, `${counted(problems, 'difference')} from what was written`),
        ...first.map(({ where, problem, remedy }) => h('span', {}, `${where}: ${problem}. ${remedy}`)),
      ],
]

type Queue = NonNullable<Status['queues']>[number]
const queueStates = ['waiting', 'active', 'delayed', 'failed'] as const

const inState = (one: Queue, state: (typeof queueStates)[number]): number =>
  state === 'waiting' ? one.waiting + one.prioritized : one[state]

const isBusy = (one: Queue): boolean => one.paused || queueStates.some((state) => inState(one, state) > 0)

/** Idle queues are only named. */
export function drawQueues(place: Element, { queues }: Status): void {
  if (queues === null) {
    draw(place, nothing('The queue does not answer.'))
    return
  }
  const columns: Column[] = [['Queue'], ...queueStates.map((state): Column => [state, 'number'])]
  const rows = queues.filter(isBusy).map((one) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, link(one.queue), one.paused && h('span', { class: 'tag' }, 'paused')),
      queueStates.map((state) => {
        const jobs = inState(one, state)
        return h('td', { class: `number ${jobs === 0 ? 'zero' : state}` }, count(jobs))
      }),
    ),
  )
  const idle = queues.filter((one) => !isBusy(one))
  draw(
    place,
    rows.length > 0 && table('Jobs of each queue by state', columns, rows),
    idle.length > 0 &&
      h(
        'p',
        { class: 'note inset' },
        'Empty: ',
        idle.flatMap(({ queue }, index): Child[] => [index > 0 && ', ', link(queue)]),
      ),
  )
}

const link = (queue: string): HTMLElement =>
  h('a', { href: `${base}/queues/queue/${encodeURIComponent(queue)}` }, queue)
