import { Command } from 'commander'
import { ensurePartitions } from '../../jobs/ensure-partitions.ts'
import { toIso, toMinuteText } from '../market/instant.ts'
import { type MeasuredPartition, measurePartitions, nameOf } from '../store/lifecycle/list-partitions.ts'
import { type PartitionsAhead, partitionsAheadOf } from '../store/lifecycle/partitions-ahead.ts'
import { readPartitions, receiving } from '../store/partitions/catalog.ts'
import { type IrregularPartition, irregularPartitions } from '../store/partitions/irregular.ts'
import { partitionedTables } from '../store/partitions.ts'
import { runHere } from './session/run-here.ts'
import { type DatabaseSession, withDatabase, withFleet } from './session.ts'
import { answer, bytesText, countText, say } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type JsonOption = Readonly<{ json?: boolean }>

export const partitionsCommand = (): Command =>
  new Command('partitions').addCommand(listCommand()).addCommand(ensureCommand())

const listCommand = (): Command =>
  new Command('list')
    .description('List partitions with their bounds and size.')
    .option('--json', 'print JSON')
    .action(({ json }: JsonOption) =>
      withDatabase(async ({ settings, db, clock }) => {
        const tables = partitionedTables(settings)
        const names = tables.map(({ name }) => name)
        const { all: partitions } = await measurePartitions(db, names)
        const irregular = irregularPartitions(tables, partitions)
        const ahead = partitionsAheadOf(names, receiving(partitions), clock.now())
        answer(
          json,
          {
            partitions: partitions.map((partition) => partitionJson(partition, irregular)),
            ahead: ahead.map(aheadJson),
          },
          () =>
            partitions.length === 0
              ? 'There are none yet. Make those that will be needed with: beacon partitions ensure'
              : [
                  partitionTable(partitions, irregular),
                  ...irregular.map(irregularText),
                  aheadTable(ahead),
                ].join('\n\n'),
        )
      }),
    )

const irregularityOf = (
  { oid }: MeasuredPartition,
  irregular: readonly IrregularPartition[],
): IrregularPartition | undefined => irregular.find(({ partition }) => partition.oid === oid)

function partitionJson(partition: MeasuredPartition, irregular: readonly IrregularPartition[]) {
  const { oid: _oid, range, qualifiedName: _name, isDetachPending: _pending, ...rest } = partition
  const found = irregularityOf(partition, irregular)
  return {
    ...rest,
    from: range === undefined ? null : toIso(range.from),
    to: range === undefined ? null : toIso(range.to),
    irregular: found === undefined ? null : { kind: found.kind, fact: found.fact, remedy: found.remedy },
  }
}

const aheadJson = ({ table: name, coveredTo, daysAhead }: PartitionsAhead) => ({
  table: name,
  coveredTo: toIso(coveredTo),
  daysAhead,
})

const kindTexts: Readonly<Record<IrregularPartition['kind'], string>> = {
  default: 'default partition',
  detaching: 'being detached',
  bounds: 'other bounds',
  name: 'other name',
}

const irregularText = ({ fact, remedy }: IrregularPartition): string => `${fact}.\n→ ${remedy}`

function partitionTable(
  partitions: readonly MeasuredPartition[],
  irregular: readonly IrregularPartition[],
): string {
  const noteOf = (partition: MeasuredPartition) => {
    const found = irregularityOf(partition, irregular)
    return found === undefined ? '' : kindTexts[found.kind]
  }
  return table(partitions, [
    { title: 'table', of: (partition) => partition.table, leaveOut: 1 },
    { title: 'partition', of: (partition) => nameOf(partition) },
    { title: 'from', of: ({ range }) => (range === undefined ? '' : toMinuteText(range.from)) },
    { title: 'to', of: ({ range }) => (range === undefined ? '' : toMinuteText(range.to)) },
    {
      title: 'rows (estimate)',
      of: ({ estimatedRows }) => countText(estimatedRows),
      align: 'right',
      leaveOut: 2,
    },
    { title: 'size', of: ({ bytes }) => bytesText(bytes), align: 'right' },
    ...(irregular.length === 0 ? [] : [{ title: 'note', of: noteOf, wraps: true as const }]),
  ])
}

const aheadTable = (ahead: readonly PartitionsAhead[]): string =>
  table(ahead, [
    { title: 'table', of: (one) => one.table },
    { title: 'new rows have a place until', of: ({ coveredTo }) => toMinuteText(coveredTo) },
    { title: 'days ahead', of: ({ daysAhead }) => daysAhead.toFixed(1), align: 'right' },
  ])

const ensureCommand = (): Command =>
  new Command('ensure')
    .description('Create the partitions that will soon be needed.')
    .option('--json', 'print JSON')
    .action(({ json }: JsonOption) =>
      withFleet(async (session, fleet) => {
        await sayIrregular(session)
        const { made } = (await runHere(session, fleet, ensurePartitions, {})) as { made: string[] }
        answer(json, { made }, () =>
          made.length === 0 ? 'All of them are there.' : `Made ${made.join(', ')}.`,
        )
      }),
    )

/** Irregular partitions. */
async function sayIrregular({ settings, db }: DatabaseSession): Promise<void> {
  const tables = partitionedTables(settings)
  const partitions = await readPartitions(
    db,
    tables.map(({ name }) => name),
  )
  for (const { fact } of irregularPartitions(tables, partitions)) say(`note: ${fact}; see: beacon doctor`)
}
