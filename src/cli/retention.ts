import { Command } from 'commander'
import { enforceRetention } from '../../jobs/enforce-retention.ts'
import { describePlan } from '../lifecycle/describe-retention.ts'
import type { RetentionOutcome } from '../lifecycle/retention.ts'
import {
  type HeldUnbounded,
  type PlannedRows,
  type RetentionPlan,
  readRetentionPlan,
  refusalOf,
} from '../lifecycle/retention-plan.ts'
import { toMinuteText } from '../market/instant.ts'
import { nameOf } from '../store/lifecycle/list-partitions.ts'
import { holdText, type RecordedHold } from '../store/lifecycle/partition-holds.ts'
import { type Decision, endingTexts, type PlannedPartition } from '../store/lifecycle/retention.ts'
import { runHere } from './session/run-here.ts'
import { withDatabase, withFleet } from './session.ts'
import { answer, bytesText, countText } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type RetentionOptions = Readonly<{ dryRun?: boolean; yes?: boolean; json?: boolean }>

export const retentionCommand = (): Command =>
  new Command('retention')
    .option('--dry-run', 'show what would be deleted and why; change nothing')
    .option('--yes', 'delete even more than half of a table at once')
    .option('--json', 'print JSON')
    .action(({ dryRun, yes = false, json }: RetentionOptions) =>
      dryRun ? rehearse(yes, json) : enforce(yes, json),
    )

const rehearse = (agreed: boolean, json: boolean | undefined) =>
  withDatabase(async ({ settings, database: { pool }, clock }) => {
    const deps = { pool, settings, clock }
    const plan = await readRetentionPlan(deps, agreed)
    const refusal = refusalOf(plan)
    const error = refusal?.message ?? null
    answer(json, { ...describePlan(plan), error }, () => planText(plan))
    if (refusal !== undefined) throw refusal
  })

const enforce = (agreed: boolean, json: boolean | undefined) =>
  withFleet(async (session, fleet) => {
    const outcome = (await runHere(session, fleet, enforceRetention, { agreed })) as RetentionOutcome
    answer(json, outcome, () => outcomeText(outcome))
  })

const planText = ({ asOf, refusal, partitions, unbounded, rows, holds }: RetentionPlan): string =>
  [
    `As of ${toMinuteText(asOf)} UTC, beacon retention would do this:`,
    ...(refusal === undefined ? [] : [`nothing, because ${refusal}`]),
    partitions.length === 0
      ? 'No table has a partition that is not kept forever.'
      : partitionTable(partitions),
    ...(unbounded.length === 0 ? [] : [unboundedTable(unbounded)]),
    ...(rows.length === 0 ? [] : [rowTable(rows)]),
    ...(holds.length === 0 ? [] : [['The last run could not delete:', ...holds.map(holdLine)].join('\n')]),
  ].join('\n\n')

const holdLine = (one: RecordedHold): string =>
  `  ${nameOf(one)}, since ${toMinuteText(one.heldSince)} UTC: ${holdText(one.hold)}`

const partitionTable = (partitions: readonly PlannedPartition[]): string =>
  table(partitions, [
    { title: 'partition', of: ({ partition }) => nameOf(partition) },
    { title: 'from', of: ({ partition }) => toMinuteText(partition.range.from), leaveOut: 2 },
    { title: 'to', of: ({ partition }) => toMinuteText(partition.range.to) },
    {
      title: 'rows',
      of: ({ partition }) => `${partition.isExact ? '' : '~ '}${countText(partition.rows)}`,
      align: 'right',
    },
    { title: 'size', of: ({ partition }) => bytesText(partition.bytes), align: 'right', leaveOut: 1 },
    { title: 'would be', of: ({ decision, policy }) => fates[decision] ?? endingTexts[policy.ending] },
    { title: 'because', of: ({ reason }) => reason, wraps: true },
  ])

const unboundedTable = (unbounded: readonly HeldUnbounded[]): string =>
  table(unbounded, [
    { title: 'partition', of: ({ partition }) => nameOf(partition) },
    { title: 'bounds', of: ({ partition }) => partition.bounds },
    { title: 'size', of: ({ partition }) => bytesText(partition.bytes), align: 'right' },
    { title: 'would be', of: () => 'kept' },
    { title: 'because', of: ({ hold }) => holdText(hold), wraps: true },
  ])

const fates: Readonly<Record<Decision, string | undefined>> = {
  stays: 'kept',
  'held-back': 'held back',
  goes: undefined,
}

const rowTable = (rows: readonly PlannedRows[]): string =>
  table(rows, [
    { title: 'table', of: (planned) => planned.table },
    { title: 'rows older than', of: ({ before, by }) => `${toMinuteText(before)} (${by})`, wraps: true },
    {
      title: 'rows',
      of: ({ rows: count }) => (count === undefined ? 'locked' : countText(count)),
      align: 'right',
    },
    {
      title: 'would be',
      of: ({ ending }) => (ending === 'drop' ? 'deleted' : 'archived and deleted'),
      wraps: true,
    },
  ])

function outcomeText({ dropped, rows, bytes, heldBack, deleted, archived }: RetentionOutcome): string {
  const someOf = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).filter(([, count]) => count > 0)
  const lines = [
    ...(dropped.length === 0
      ? []
      : [
          `Dropped ${counted(dropped.length, 'partition')} with ${counted(rows, 'row')}, ${bytesText(bytes)}.`,
        ]),
    ...someOf(archived).map(([name, count]) => `Archived ${counted(count, 'row')} of ${name}.`),
    ...someOf(deleted).map(([name, count]) => `Deleted ${counted(count, 'row')} of ${name}.`),
    ...(heldBack.length === 0
      ? []
      : [
          `Held back ${counted(heldBack.length, 'partition')}:\n${heldBack.map(({ partition, reason }) => `  ${partition}: ${reason}`).join('\n')}`,
        ]),
  ]
  return lines.length === 0 ? 'Nothing is older than it is kept.' : lines.join('\n')
}

const counted = (count: number, word: string): string =>
  `${countText(count)} ${word}${count === 1 ? '' : 's'}`
