import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { toIso } from '../../market/instant.ts'
import type { Settings } from '../../settings.ts'
import {
  exportCsv,
  ownTable,
  type RowSelection,
  readAtOneMoment,
  readShape,
} from '../../store/lifecycle/archives/archive-content.ts'
import { inRowsTransaction } from '../../store/lifecycle/archives/archived-rows.ts'
import { type Archive, listArchives, listRowTables, rowArchivesOf } from '../../store/lifecycle/archives.ts'
import { measurePartitions, relationOf } from '../../store/lifecycle/list-partitions.ts'
import { holdPartitions, rangeTablesOf } from '../../store/lifecycle/range-tables.ts'
import { databaseOf, inTransaction, type Transaction } from '../../store/transaction.ts'
import { answer, placesRead, type QueryAnswer, withDuckDb } from './duck-db.ts'
import { csvPlace, emptyPlace, parquetPlace, type View, viewText } from './duck-views.ts'
import { type LivePlace, placesOf, type RowPlace, rowPlacesOf } from './row-places.ts'
import { makeDraftFolder, withFolder } from './storage/folder.ts'
import { verifyOnce } from './storage/verified-files.ts'
import { withStorageOf } from './storage.ts'

type QueryDeps = Readonly<{ pool: Pool; settings: Settings }>

type Queryable = Readonly<{ table: string; kind: 'partitions' | 'rows' | 'live'; time: string | undefined }>

/** Tables that can be queried: archived ones and those they reference. */
async function queryable(pool: Pool, settings: Settings): Promise<Queryable[]> {
  const byPolicy = Object.entries(settings.retention).filter(([, { then }]) => then === 'archive')
  const times = new Map(byPolicy.map(([table, { by }]) => [table, by]))
  // Policies change, and audit rows follow archived rows.
  const tables = new Set([...times.keys(), ...(await listRowTables(databaseOf(pool)))])
  return [
    { table: 'coins', kind: 'live', time: undefined },
    { table: 'ohlcv_data', kind: 'partitions', time: 'timestamp' },
    { table: 'market_data', kind: 'partitions', time: 'timestamp' },
    ...[...tables].map((table): Queryable => ({ table, kind: 'rows', time: times.get(table) })),
  ]
}

/**
 * Runs a DuckDB query over live and archived rows, each row once. Reads only matching live rows and files, which are
 * verified first. Decimals are texts. Throws DamagedArchive, or InvalidInput for a bad query.
 */
export async function queryArchive(deps: QueryDeps, query: string): Promise<QueryAnswer> {
  const drafts = resolve(deps.settings.environment.dataDir, 'archive-drafts')
  await makeDraftFolder(drafts)
  const folder = await withFolder(drafts, () => mkdtemp(join(drafts, 'query-')))
  try {
    const { views, paths, read } = await withFolder(folder, () => prepare(deps, query, folder))
    const files = archivesOf(views).filter(({ name }) => read.has(name))
    return await withFilesOf(deps.settings, files, paths, () => ask(query, views, paths))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

type Paths = Map<string, string>

type Prepared = Readonly<{ views: readonly View[]; paths: Paths; read: ReadonlySet<string> }>

async function prepare({ pool, settings }: QueryDeps, query: string, folder: string): Promise<Prepared> {
  const known = await queryable(pool, settings)
  const asked = known.filter(({ table }) => new RegExp(`\\b${table}\\b`, 'i').test(query))
  const paths: Paths = new Map()
  const single: View[] = []
  for (const one of asked.filter(({ kind }) => kind !== 'partitions'))
    single.push(await rowsView(pool, one, folder, paths))
  const partitioned = asked.filter(({ kind }) => kind === 'partitions')
  const parents = await rangeTablesOf(
    databaseOf(pool),
    partitioned.map(({ table }) => table),
  )
  // One snapshot of rows, partitions and manifest; nothing is deleted until rows are copied.
  return inTransaction(
    pool,
    async (tx) => {
      await readAtOneMoment(tx)
      await holdPartitions(tx, parents)
      const views = [...single]
      for (const one of partitioned) views.push(await partitionsView(tx, one, parents))
      const read = await placesRead(query, views)
      await exportLive(tx, views, read, folder, paths)
      return { views, paths, read }
    },
    'maintenance',
  )
}

const placed = (table: string, places: readonly RowPlace[]): View['places'] =>
  places.map((place, index) => ({ name: `${table}_place_${index}`, place }))

/** Live rows first: rows archived meanwhile are in both and count once. */
async function rowsView(
  pool: Pool,
  { table, kind, time }: Queryable,
  folder: string,
  paths: Paths,
): Promise<View> {
  const shape = await readShape(databaseOf(pool), ownTable(table))
  const selection = { relation: relationOf(ownTable(table)), ...shape }
  const path = join(folder, `${table}.csv`)
  await inRowsTransaction(pool, table, (tx) => writeCsv(tx, selection, path))
  const archives = kind === 'live' ? [] : await rowArchivesOf(databaseOf(pool), table)
  const view = { table, ...shape, time, places: placed(table, rowPlacesOf(archives)) }
  for (const { name, place } of view.places) if (place.kind === 'live') paths.set(name, path)
  return view
}

async function partitionsView(
  { db }: Transaction,
  { table, time }: Queryable,
  parents: readonly string[],
): Promise<View> {
  const own = parents.filter((parent) => parent === table || parent.startsWith(`${table}_`))
  const archives = (await listArchives(db)).filter(
    (one) => one.partition !== undefined && (one.table === table || one.table.startsWith(`${table}_`)),
  )
  const places = placesOf(await measurePartitions(db, own), archives)
  return { table, ...(await readShape(db, ownTable(table))), time, places: placed(table, places) }
}

async function exportLive(
  tx: Transaction,
  views: readonly View[],
  read: ReadonlySet<string>,
  folder: string,
  paths: Paths,
): Promise<void> {
  for (const view of views) {
    for (const { name, place } of view.places) {
      if (place.kind === 'file' || paths.has(name) || !read.has(name)) continue
      const path = join(folder, `${name}.csv`)
      await writeCsv(tx, liveRows(view, place), path)
      paths.set(name, path)
    }
  }
}

/** Through the parent: the login may lack rights on partitions. */
function liveRows({ table, columns, key, time }: View, place: LivePlace): RowSelection {
  const { timeframe, range, partition } = place
  const conditions: SQL[] = [
    ...(timeframe === undefined ? [] : [sql`timeframe = ${timeframe}`]),
    ...(range === undefined || time === undefined
      ? []
      : [
          sql`${sql.identifier(time)} >= ${toIso(range.from)}::timestamp and ${sql.identifier(time)} < ${toIso(range.to)}::timestamp`,
        ]),
  ]
  return {
    relation: relationOf(partition ?? ownTable(table)),
    columns,
    key,
    ...(conditions.length > 0 && { where: sql.join(conditions, sql` and `) }),
  }
}

async function writeCsv(tx: Transaction, selection: RowSelection, path: string): Promise<void> {
  await pipeline(exportCsv(tx, selection), createWriteStream(path, { mode: 0o600 }))
}

type NamedArchive = Readonly<{ name: string; archive: Archive }>

const archivesOf = (views: readonly View[]): NamedArchive[] =>
  views.flatMap(({ places }) =>
    places.flatMap(({ name, place }) => (place.kind === 'file' ? [{ name, archive: place.archive }] : [])),
  )

function withFilesOf<T>(
  settings: Settings,
  files: readonly NamedArchive[],
  paths: Paths,
  work: () => Promise<T>,
): Promise<T> {
  const [first, ...rest] = files
  if (!first) return work()
  const { name, archive } = first
  return withStorageOf(settings, archive, (storage) =>
    storage.withFile(archive.fileName, async (path) => {
      await verifyOnce(settings, archive, path)
      paths.set(name, path)
      return withFilesOf(settings, rest, paths, work)
    }),
  )
}

const ask = (query: string, views: readonly View[], paths: Paths): Promise<QueryAnswer> =>
  withDuckDb(async (connection) => {
    for (const view of views) {
      for (const { name, place } of view.places) {
        const path = paths.get(name)
        const make =
          path === undefined
            ? emptyPlace(name, view.columns)
            : place.kind === 'live'
              ? csvPlace(name, view.columns, path)
              : parquetPlace(name, view.columns, path)
        await connection.run(make)
      }
      await connection.run(viewText(view))
    }
    return answer(connection, query)
  })
