// What the next retention run deletes, and why.

import type { NextRetention } from '../../../status/maintenance.ts'
import { draw, h } from '../elements/dom.ts'
import { age, bytes, count, counted, day, instant, secondsBetween } from '../elements/words.ts'
import { type Column, cell, table, time } from '../elements.ts'

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
export function drawRetention(place: Element, plan: NextRetention, now: string): void {
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
