import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { InvalidInput, Misconfigured } from '../../fault.ts'
import type { Settings } from '../../settings.ts'
import {
  type ArchiveColumn,
  exportCsv,
  type RowSelection,
  readAtOneMoment,
  readShape,
} from '../../store/lifecycle/archive-content.ts'
import { inRowsTransaction } from '../../store/lifecycle/archived-rows.ts'
import { type Archive, listArchives } from '../../store/lifecycle/archives.ts'
import { type Database, databaseOf, inTransaction } from '../../store/transaction.ts'
import { formOf } from './column-form.ts'
import { makeDraftFolder } from './folder-storage.ts'
import { withStorageOf } from './storage.ts'

export type QueryAnswer = Readonly<{ columns: readonly string[]; rows: readonly (readonly unknown[])[] }>

type QueryReach = Readonly<{ pool: Pool; settings: Settings }>

/** What can be asked for by name: tables whose rows end up in the archive, whole or one by one, and what they refer to. */
const queryable = (settings: Settings): ReadonlyMap<string, 'leaves' | 'rows' | 'live'> =>
  new Map([
    ['coins', 'live'],
    ['ohlcv_data', 'leaves'],
    ['market_data', 'leaves'],
    ...Object.entries(settings.retention)
      .filter(([, { then }]) => then === 'archive')
      .map(([table]) => [table, 'rows'] as const),
  ])

/**
 * Answers a query of DuckDB over tables as if nothing had ever been archived: each view is the live rows and those that
 * are only in files, every row once. Of tables that the query does not name, nothing is read. Numbers with decimals come
 * as text, exactly. Throws Misconfigured where DuckDB is not installed, and InvalidInput for a query it refuses.
 */
export async function queryArchive({ pool, settings }: QueryReach, query: string): Promise<QueryAnswer> {
  const { DuckDBInstance } = await loadDuckDb()
  const drafts = resolve(settings.environment.dataDir, 'archive-drafts')
  await makeDraftFolder(drafts)
  const folder = await mkdtemp(join(drafts, 'query-'))
  try {
    const named = [...queryable(settings)].filter(([table]) => new RegExp(`\\b${table}\\b`, 'i').test(query))
    const views: View[] = []
    for (const [table, kind] of named) {
      views.push(
        kind === 'rows' ? await rowsView(pool, table, folder) : await leavesView(pool, table, folder),
      )
    }
    return await withFilesOf(settings, views, async (paths) => {
      const instance = await DuckDBInstance.create(':memory:')
      const connection = await instance.connect()
      try {
        for (const view of views) await connection.run(viewText(view, paths))
        return await answer(connection, query)
      } finally {
        connection.closeSync()
        instance.closeSync()
      }
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function loadDuckDb() {
  try {
    return await import('@duckdb/node-api')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
    throw new Misconfigured('queries are answered by DuckDB: run npm install @duckdb/node-api', {
      cause: error,
    })
  }
}

async function answer(connection: DuckDBConnection, query: string): Promise<QueryAnswer> {
  try {
    const reader = await connection.runAndReadAll(query)
    return { columns: reader.deduplicatedColumnNames(), rows: reader.getRowsJson() }
  } catch (error) {
    throw new InvalidInput(`DuckDB refused the query: ${reasonIn(error)}`)
  }
}

/** What DuckDB says in one line, without the drawing of where in the query that is. */
function reasonIn(error: unknown): string {
  const [words = '', line] = (error instanceof Error ? error.message : String(error)).split(
    /\s*\n+LINE (\d+):/,
  )
  return `${words.replaceAll(/\s+/g, ' ')}${line === undefined ? '' : ` (in its line ${line})`}; see docs/archive.md for what it can ask`
}

/** One table as DuckDB sees it. `contested` files may hold rows that are live, or in a newer file too. */
type View = Readonly<{
  table: string
  columns: readonly ArchiveColumn[]
  key: readonly string[]
  livePath: string
  settled: readonly Archive[]
  contested: readonly Archive[]
}>

/** Live rows and manifest are of one moment, so that no row is missed between the two. */
function leavesView(pool: Pool, table: string, folder: string): Promise<View> {
  return inTransaction(
    pool,
    async (tx) => {
      await readAtOneMoment(tx)
      const selection = { relation: table, ...(await readShape(tx.db, table)) }
      const archives = await archivesIn(tx.db, (one) => one === table || one.startsWith(`${table}_`))
      const leaves = await existing(
        tx.db,
        archives.flatMap(({ partition }) => partition ?? []),
      )
      const livePath = await exportLive(folder, selection, exportCsv(tx, selection))
      const isContested = ({ partition = '' }: Archive) =>
        leaves.has(partition) || archives.filter((one) => one.partition === partition).length > 1
      return {
        table,
        ...selection,
        livePath,
        settled: archives.filter((one) => !isContested(one)),
        contested: archives.filter(isContested),
      }
    },
    'upkeep',
  )
}

/** The live rows first: what is archived meanwhile is then in both, and counts once. */
async function rowsView(pool: Pool, table: string, folder: string): Promise<View> {
  const selection = { relation: table, ...(await readShape(databaseOf(pool), table)) }
  const livePath = await inRowsTransaction(pool, table, (tx) =>
    exportLive(folder, selection, exportCsv(tx, selection)),
  )
  const contested = await archivesIn(databaseOf(pool), (one) => one === table)
  return { table, ...selection, livePath, settled: [], contested }
}

/** Those whose rows have left the table, oldest first. */
async function archivesIn(db: Database, isWanted: (table: string) => boolean): Promise<Archive[]> {
  const archives = await listArchives(db)
  return archives.filter(
    ({ table, state }) => isWanted(table) && (state === 'dropped' || state === 'restored'),
  )
}

async function existing(db: Database, names: readonly string[]): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set()
  const { rows } = await db.execute<{ name: string }>(sql`
    select relname as name from pg_class
    where relname in ${[...names]} and relnamespace = 'public'::regnamespace`)
  return new Set(rows.map(({ name }) => name))
}

async function exportLive(
  folder: string,
  { relation }: RowSelection,
  csv: AsyncIterable<Buffer>,
): Promise<string> {
  const path = join(folder, `${relation}.csv`)
  await pipeline(csv, createWriteStream(path, { mode: 0o600 }))
  return path
}

type Paths = ReadonlyMap<string, string>

/** Does the work while every file of the views is on this machine. */
function withFilesOf<T>(
  settings: Settings,
  views: readonly View[],
  work: (paths: Paths) => Promise<T>,
): Promise<T> {
  const archives = views.flatMap(({ settled, contested }) => [...settled, ...contested])
  const paths = new Map<string, string>()
  const next = (index: number): Promise<T> => {
    const archive = archives[index]
    if (!archive) return work(paths)
    return withStorageOf(settings, archive, (storage) =>
      storage.withFile(archive.fileName, (path) => {
        paths.set(archive.id, path)
        return next(index + 1)
      }),
    )
  }
  return next(0)
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const named = (name: string): string => `"${name.replaceAll('"', '""')}"`

function viewText({ table, columns, key, livePath, settled, contested }: View, paths: Paths): string {
  const names = columns.map(({ name }) => named(name)).join(', ')
  const keys = key.map(named).join(', ')
  const types = columns.map((column) => `${quoted(column.name)}: ${quoted(formOf(column).duckType)}`)
  const live = `select ${names} from read_csv(${quoted(livePath)}, columns = {${types.join(', ')}}, auto_detect = false,
    header = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false)`
  const fileOf = ({ id }: Archive) => quoted(paths.get(id) ?? '')
  const parts = [live]
  if (settled.length > 0) {
    parts.push(`select ${names} from read_parquet([${settled.map(fileOf).join(', ')}], union_by_name = true)`)
  }
  if (contested.length > 0) {
    const files = contested.map(
      (one, place) => `select ${names}, ${place} as place from read_parquet(${fileOf(one)})`,
    )
    parts.push(`select ${names} from (${files.join(' union all ')}) as file
      where not exists (select 1 from (${live}) as stored where ${key.map((name) => `stored.${named(name)} = file.${named(name)}`).join(' and ')})
      qualify row_number() over (partition by ${keys} order by place desc) = 1`)
  }
  return `create view ${named(table)} as ${parts.join(' union all ')}`
}
