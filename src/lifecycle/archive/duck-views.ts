import { type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { ArchiveColumn } from '../../store/lifecycle/archives/archive-content.ts'
import { formOf } from './parquet/column-form.ts'
import type { FilePlace, RowPlace } from './row-places.ts'

/** A table in DuckDB: one view over all places with its rows. */
export type View = Readonly<{
  table: string
  columns: readonly ArchiveColumn[]
  key: readonly string[]
  time: string | undefined
  places: readonly Readonly<{ name: string; place: RowPlace }>[]
}>

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const named = (name: string): string => `"${name.replaceAll('"', '""')}"`

const listed = (columns: readonly ArchiveColumn[]): string =>
  columns.map(({ name }) => named(name)).join(', ')

export function csvPlace(name: string, columns: readonly ArchiveColumn[], path: string): string {
  const types = columns.map((column) => `${quoted(column.name)}: ${quoted(formOf(column).duckType)}`)
  return `create view ${named(name)} as select ${listed(columns)} from read_csv(${quoted(path)},
    columns = {${types.join(', ')}}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"',
    nullstr = '', allow_quoted_nulls = false)`
}

export const parquetPlace = (name: string, columns: readonly ArchiveColumn[], path: string): string =>
  `create view ${named(name)} as select ${listed(columns)} from read_parquet(${quoted(path)})`

/** An empty stand-in for a place that the query does not read. */
export function emptyPlace(name: string, columns: readonly ArchiveColumn[]): string {
  const types = columns.map((column) => `${named(column.name)} ${formOf(column).duckType}`)
  return `create table ${named(name)} (${types.join(', ')})`
}

/** Rows that show the planner only time and timeframe of a place: extremes and NULLs elsewhere. */
export function outline(view: View, name: string, { timeframe, range }: RowPlace): string {
  const rowOf = (end: 'least' | 'greatest') =>
    view.columns.map((column) => {
      if (timeframe !== undefined && column.name === 'timeframe') return quoted(timeframe)
      if (range !== undefined && column.name === view.time)
        return end === 'least' ? at(range.from) : `${at(range.to)} - interval 1 microsecond`
      return `${quoted(formOf(column).duckExtremes[end])}::${formOf(column).duckType}`
    })
  const nulls = view.columns.map(() => 'null')
  const rows = [rowOf('least'), rowOf('greatest'), nulls].map((values) => `(${values.join(', ')})`)
  return `insert into ${named(name)} values ${rows.join(', ')}`
}

const at = (instant: Instant): string =>
  `timestamp ${quoted(toIso(instant).replace('T', ' ').replace('Z', ''))}`

export function viewText(view: View): string {
  const parts = view.places.map(({ name, place }) =>
    place.kind === 'live'
      ? `select ${listed(view.columns)} from ${named(name)} as place ${where(conditionsOf(view, place))}`
      : filePart(view, name, place),
  )
  if (parts.length === 0) {
    const nulls = view.columns.map((column) => `null::${formOf(column).duckType} as ${named(column.name)}`)
    return `create view ${named(view.table)} as select ${nulls.join(', ')} where false`
  }
  return `create view ${named(view.table)} as ${parts.join(' union all ')}`
}

function filePart(view: View, name: string, place: FilePlace): string {
  const names = new Map(view.places.map((one) => [one.place, one.name]))
  const isElsewhere = place.before.map((other) => {
    const sameKey = view.key.map((column) => `other.${named(column)} = place.${named(column)}`)
    const conditions = [...conditionsOf(view, other, 'other'), ...sameKey]
    return `not exists (select 1 from ${named(names.get(other) ?? '')} as other ${where(conditions)})`
  })
  const conditions = [...conditionsOf(view, place), ...isElsewhere]
  return `select ${listed(view.columns)} from ${named(name)} as place ${where(conditions)}`
}

/** True of each row; lets DuckDB skip places. */
function conditionsOf(view: View, place: RowPlace, owner = 'place'): string[] {
  const { timeframe, range } = place
  const time = view.time === undefined ? undefined : `${owner}.${named(view.time)}`
  return [
    ...(timeframe === undefined ? [] : [`${owner}.timeframe = ${quoted(timeframe)}`]),
    ...(range === undefined || time === undefined ? [] : [within(time, range)]),
    ...(place.kind === 'live' || time === undefined
      ? []
      : place.except.map((except) => `not (${within(time, except)})`)),
  ]
}

const within = (time: string, { from, to }: Range): string => `${time} >= ${at(from)} and ${time} < ${at(to)}`

const where = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
