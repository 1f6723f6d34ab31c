import { getTableColumns } from 'drizzle-orm'
import { marketData, ohlcvData } from '../../../drizzle/schema/market-data.ts'
import { toMinuteText } from '../../market/instant.ts'
import { isOwnForm, missingPartitions, type PartitionedTable, partitionAt } from '../partitions.ts'
import { type BoundedPartition, type CatalogPartition, isBounded } from './catalog.ts'
import { boundsClause } from './statements.ts'

/** How a partition differs from those that Beacon makes. */
type IrregularKind = 'default' | 'detaching' | 'bounds' | 'name'

export type IrregularPartition = Readonly<{
  partition: CatalogPartition
  kind: IrregularKind
  /** What it is and what it prevents. */
  fact: string
  /** Statements for psql, or a command. */
  remedy: string
}>

/** Partitions created or changed by others. */
export const irregularPartitions = (
  tables: readonly PartitionedTable[],
  partitions: readonly CatalogPartition[],
): IrregularPartition[] =>
  partitions.flatMap((partition) => {
    const table = tables.find(({ name }) => name === partition.table)
    return (table && irregularityOf(table, partition, partitions)) ?? []
  })

function irregularityOf(
  table: PartitionedTable,
  partition: CatalogPartition,
  all: readonly CatalogPartition[],
): IrregularPartition | undefined {
  if (!isBounded(partition)) return ofDefault(table, partition)
  if (partition.isDetachPending) return ofDetaching(partition)
  const isOurs = partition.schema === 'public' && isOwnForm(table.name, partition)
  if (isOurs) return undefined
  const usual = usualPlanOf(table, partition)
  return usual === undefined ? ofBounds(table, partition, all) : ofName(partition, usual)
}

/** The usual name of these bounds; undefined if unusual. */
function usualPlanOf({ name }: PartitionedTable, { range }: BoundedPartition): string | undefined {
  const lengths = ['day', 'month', 'year'] as const
  return lengths
    .map((length) => partitionAt({ name, length }, range.from))
    .find((usual) => usual.range.from === range.from && usual.range.to === range.to)?.name
}

const ofName = (partition: BoundedPartition, usualName: string): IrregularPartition => {
  const { qualifiedName, schema, name, table, bounds } = partition
  const move = schema === 'public' ? [] : [`alter table ${qualifiedName} set schema public`]
  const rename = name === usualName ? [] : [`alter table public.${quoted(name)} rename to ${usualName}`]
  return {
    partition,
    kind: 'name',
    fact: `${qualifiedName} (${bounds}) is a partition of ${table} under another name than ${usualName}; it prevents nothing`,
    remedy: [...move, ...rename].join('; '),
  }
}

function ofBounds(
  table: PartitionedTable,
  partition: BoundedPartition,
  all: readonly CatalogPartition[],
): IrregularPartition {
  const { qualifiedName, bounds, range } = partition
  const usual = missingPartitions(table, [], range)
  const [first, last] = [usual[0], usual.at(-1)]
  const whole = first === last ? `${first?.name}` : `${first?.name} to ${last?.name}`
  const others = all.filter((other) => other.oid !== partition.oid && other.table === table.name)
  const replacement = replace(table, partition, others)
  return {
    partition,
    kind: 'bounds',
    fact: `${qualifiedName} (${bounds}) is a partition of ${table.name} with other bounds than a ${table.length}: ${whole} cannot be made whole, only around it, and retention keeps all of it until ${toMinuteText(range.to)} is old enough`,
    remedy:
      replacement === undefined
        ? 'It may stay: rows are stored in it and around it.'
        : `It may stay: rows are stored in it and around it. To replace it: ${replacement}`,
  }
}

/** More statements would not help. */
const mostPieces = 4

function replace(
  table: PartitionedTable,
  { qualifiedName, range }: BoundedPartition,
  others: readonly CatalogPartition[],
): string | undefined {
  const taken = others.filter(isBounded).map((other) => other.range)
  const pieces = missingPartitions(table, taken, range)
  if (pieces.length > mostPieces) return undefined
  return [
    'begin',
    `alter table public.${table.name} detach partition ${qualifiedName}`,
    ...pieces.map(
      (piece) =>
        `create table public.${piece.name} partition of public.${table.name} ${boundsClause(piece.range)}`,
    ),
    moveRows(table, qualifiedName),
    'commit',
  ].join('; ')
}

/** By column names, since an attached table may order them differently. */
function moveRows({ name }: PartitionedTable, from: string): string {
  const table = name === 'market_data' ? marketData : ohlcvData
  const columns = Object.values(getTableColumns(table))
    .map((column) => column.name)
    .join(', ')
  return `insert into public.${name} (${columns}) select ${columns} from ${from}; drop table ${from}`
}

const ofDetaching = (partition: BoundedPartition): IrregularPartition => {
  const { qualifiedName, bounds, table } = partition
  return {
    partition,
    kind: 'detaching',
    fact: `Detaching ${qualifiedName} (${bounds}) from ${table} was interrupted: new rows of its range cannot be stored, and no other partition of ${table} can be detached`,
    remedy: `In psql: alter table public.${table} detach partition ${qualifiedName} finalize`,
  }
}

function ofDefault(table: PartitionedTable, partition: CatalogPartition): IrregularPartition {
  const { qualifiedName } = partition
  const nameFormat = { day: `y"YYYY"m"MM"d"DD`, month: `y"YYYY"m"MM`, year: `y"YYYY` }[table.length]
  const create = `execute format('create table public.%I partition of public.${table.name} for values from (%L) to (%L)', to_char(since, '"${table.name}_${nameFormat}'), since, since + interval '1 ${table.length}')`
  const statement = `do $$ declare since timestamp; begin alter table public.${table.name} detach partition ${qualifiedName}; for since in select distinct date_trunc('${table.length}', timestamp) from ${qualifiedName} loop ${create}; end loop; ${moveRows(table, qualifiedName)}; end $$`
  return {
    partition,
    kind: 'default',
    fact: `${qualifiedName} is the DEFAULT partition of ${table.name}: it takes the rows that have no partition of their own, none can be made for a time that it has rows of, and retention never deletes its rows`,
    remedy: `In psql: ${statement}`,
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
