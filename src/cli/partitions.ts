import { Command } from 'commander'
import { ensurePartitions } from '../../jobs/ensure-partitions.ts'
import { toIso, toMinuteText } from '../market/instant.ts'
import {
  nameOf,
  type Partition,
  readPartitions,
  type UnboundedPartition,
} from '../store/lifecycle/list-partitions.ts'
import { type PartitionsAhead, partitionsAheadOf } from '../store/lifecycle/partitions-ahead.ts'
import { partitionedTables } from '../store/partitions.ts'
import { databaseOf } from '../store/transaction.ts'
import { answer, bytesText, countText, table } from './output.ts'
import { runHere } from './run-here.ts'
import { withDatabase, withFleet } from './session.ts'

type JsonOption = Readonly<{ json?: boolean }>

export const partitionsCommand = (): Command =>
  new Command('partitions')
    .description('The partitions of the large tables.')
    .addCommand(listCommand())
    .addCommand(ensureCommand())

const listCommand = (): Command =>
  new Command('list')
    .description('List every partition with its bounds and size.')
    .option('--json', 'answer as JSON')
    .action(({ json }: JsonOption) =>
      withDatabase(async ({ settings, database, clock }) => {
        const tables = partitionedTables(settings).map(({ name }) => name)
        const { bounded: partitions, unbounded } = await readPartitions(databaseOf(database.pool), tables)
        const ahead = partitionsAheadOf(tables, partitions, clock.now())
        const asJson = partitions.map(({ range, ...partition }) => ({
          ...partition,
          from: toIso(range.from),
          to: toIso(range.to),
        }))
        const aheadAsJson = ahead.map(({ table: name, coveredTo, daysAhead }) => ({
          table: name,
          coveredTo: toIso(coveredTo),
          daysAhead,
        }))
        answer(json, { partitions: asJson, unbounded, ahead: aheadAsJson }, () =>
          partitions.length + unbounded.length === 0
            ? 'There are none yet. Make those that will be needed with: beacon partitions ensure'
            : [
                partitionTable(partitions),
                ...(unbounded.length === 0 ? [] : [unboundedTable(unbounded)]),
                aheadTable(ahead),
              ].join('\n\n'),
        )
      }),
    )

const partitionTable = (partitions: readonly Partition[]): string =>
  table(partitions, [
    { title: 'table', of: (partition) => partition.table },
    { title: 'partition', of: (partition) => nameOf(partition) },
    { title: 'from', of: ({ range }) => toMinuteText(range.from) },
    { title: 'to', of: ({ range }) => toMinuteText(range.to) },
    { title: 'rows (estimate)', of: ({ estimatedRows }) => countText(estimatedRows), align: 'right' },
    { title: 'size', of: ({ bytes }) => bytesText(bytes), align: 'right' },
  ])

/** Whose rows belong to no time: retention never deletes them. */
const unboundedTable = (unbounded: readonly UnboundedPartition[]): string =>
  table(unbounded, [
    { title: 'table', of: (partition) => partition.table },
    { title: 'without bounds in time', of: (partition) => nameOf(partition) },
    { title: 'bounds', of: ({ bounds }) => bounds },
    { title: 'rows (estimate)', of: ({ estimatedRows }) => countText(estimatedRows), align: 'right' },
    { title: 'size', of: ({ bytes }) => bytesText(bytes), align: 'right' },
  ])

const aheadTable = (ahead: readonly PartitionsAhead[]): string =>
  table(ahead, [
    { title: 'table', of: (one) => one.table },
    { title: 'new rows have a place until', of: ({ coveredTo }) => toMinuteText(coveredTo) },
    { title: 'days ahead', of: ({ daysAhead }) => daysAhead.toFixed(1), align: 'right' },
  ])

const ensureCommand = (): Command =>
  new Command('ensure')
    .description('Make the partitions that will soon be needed, now.')
    .option('--json', 'answer as JSON')
    .action(({ json }: JsonOption) =>
      withFleet(async (session, fleet) => {
        const { made } = (await runHere(session, fleet, ensurePartitions, {})) as { made: string[] }
        answer(json, { made }, () =>
          made.length === 0 ? 'All of them are there.' : `Made ${made.join(', ')}.`,
        )
      }),
    )
