import { is, SQL } from 'drizzle-orm'
import {
  type ForeignKey,
  getTableConfig,
  type Index,
  IndexedColumn,
  type PgColumn,
  PgDialect,
  PgTable,
} from 'drizzle-orm/pg-core'
import { escapeIdentifier as quoted } from 'pg'

const dialect = new PgDialect()
const textOf = (expression: SQL): string => dialect.sqlToQuery(expression).sql
const listed = (columns: readonly { name: string }[]): string =>
  columns.map(({ name }) => quoted(name)).join(', ')

/** The statements that make the tables as the drizzle schema declares them: all that it can say, partitions aside. */
export function createStatements(tables: readonly PgTable[]): string[] {
  const configs = tables.map((table) => getTableConfig(table))
  return [
    ...configs.map(createTable),
    ...configs.flatMap(({ name, indexes }) => indexes.map((index) => createIndex(name, index))),
    // Once every table is there.
    ...configs.flatMap(({ name, foreignKeys }) => foreignKeys.map((key) => addForeignKey(name, key))),
  ]
}

function createTable(config: ReturnType<typeof getTableConfig>): string {
  const single = config.columns.filter(({ primary }) => primary)
  const parts = [
    ...config.columns.map(columnLine),
    ...(single.length > 0 ? [`primary key (${listed(single)})`] : []),
    ...config.primaryKeys.map(({ name, columns }) => `${constraint(name)}primary key (${listed(columns)})`),
    ...config.uniqueConstraints.map(
      ({ name, columns, nullsNotDistinct }) =>
        `${constraint(name)}unique ${nullsNotDistinct ? 'nulls not distinct ' : ''}(${listed(columns)})`,
    ),
    ...config.checks.map(({ name, value }) => `${constraint(name)}check (${textOf(value)})`),
  ]
  return `create table ${quoted(config.name)} (${parts.join(', ')})`
}

/** Without a name, PostgreSQL gives it the one it would have in a migration that gives none. */
const constraint = (name: string | undefined): string =>
  name === undefined ? '' : `constraint ${quoted(name)} `

function columnLine(column: PgColumn): string {
  const unique = column.isUnique ? ' unique' : ''
  const nullable = column.notNull ? ' not null' : ''
  const value = column.default === undefined ? '' : ` default ${defaultText(column.default)}`
  return `${quoted(column.name)} ${column.getSQLType()}${nullable}${value}${unique}`
}

function defaultText(value: unknown): string {
  if (is(value, SQL)) return textOf(value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Error(`the default ${String(value)} cannot be written as SQL: declare it with sql\`\``)
}

function createIndex(table: string, { config }: Index): string {
  const columns = config.columns.map((column) => {
    if (is(column, SQL)) return `(${textOf(column)})`
    if (!is(column, IndexedColumn) || column.name === undefined)
      throw new Error(`${config.name} has a column without a name`)
    const { order = 'asc', nulls } = column.indexConfig
    return `${quoted(column.name)} ${order}${nulls === undefined ? '' : ` nulls ${nulls}`}`
  })
  const kind = config.unique ? 'unique index' : 'index'
  const where = config.where === undefined ? '' : ` where ${textOf(config.where)}`
  const name = config.name === undefined ? '' : quoted(config.name)
  return `create ${kind} ${name} on ${quoted(table)} using ${config.method ?? 'btree'} (${columns.join(', ')})${where}`
}

function addForeignKey(table: string, { reference, onDelete, onUpdate }: ForeignKey): string {
  const { columns, foreignColumns, foreignTable } = reference()
  const target = `${quoted(getTableConfig(foreignTable).name)} (${listed(foreignColumns)})`
  const actions = `on delete ${onDelete ?? 'no action'} on update ${onUpdate ?? 'no action'}`
  return `alter table ${quoted(table)} add foreign key (${listed(columns)}) references ${target} ${actions}`
}

/** The tables among what a module of the drizzle schema exports. */
export const tablesIn = (module: Readonly<Record<string, unknown>>): PgTable[] =>
  Object.values(module).filter((value) => is(value, PgTable))
