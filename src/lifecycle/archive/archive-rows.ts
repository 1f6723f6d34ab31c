import { type SQL, sql } from 'drizzle-orm'
import { Aborted, Unavailable } from '../../fault.ts'
import { toInstant } from '../../market/instant.ts'
import { type AgingRows, isOfRecordsGone, mayLeave } from '../../store/lifecycle/aging-rows.ts'
import {
  exportRows,
  ownTable,
  type RowSelection,
  readShape,
  sameContent,
} from '../../store/lifecycle/archives/archive-content.ts'
import {
  belongsToUsers,
  inRowsTransaction,
  isWritable,
  nextBatch,
  type RowBatch,
  takeRows,
} from '../../store/lifecycle/archives/archived-rows.ts'
import {
  type Archive,
  archiveEntry,
  intendArchive,
  recordDropped,
  rowArchivesOf,
} from '../../store/lifecycle/archives.ts'
import { relationOf } from '../../store/lifecycle/list-partitions.ts'
import { leaveOutRows, recordMaintenance } from '../../store/maintenance-audit.ts'
import { databaseOf } from '../../store/transaction.ts'
import {
  type ArchiveDeps,
  aloneWith,
  discard,
  discardUnfinished,
  publish,
  writeDraft,
} from './archive-partition.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { contentOfFile } from './parquet/read-parquet.ts'
import { withStorage } from './storage.ts'

export type RowsDeps = ArchiveDeps & Readonly<{ signal: AbortSignal }>

const allTime = { from: toInstant(0), to: toInstant(Date.UTC(9_999, 0)) }

export type ArchivedRows = Readonly<{
  table: string
  files: number
  rows: number
  /** Expired, but with a timestamp that cannot be archived. */
  left: number
}>

/** Rows may change between export and deletion; then the batch is rewritten. */
const triesOfBatch = 3

export async function archiveRows(deps: RowsDeps, rows: AgingRows, keepMs: number): Promise<ArchivedRows> {
  const { pool, clock, settings } = deps
  const aging = { ...rows, keepMs, now: clock.now(), timeframes: settings.timeframes }
  const archived = await archiveChosen(deps, { ...rows, where: mayLeave(aging) })
  if (await belongsToUsers(pool, rows.table))
    await archiveChosen(deps, { table: 'audit_logs', by: 'timestamp', where: isOfRecordsGone(rows.table) })
  return archived
}

/** Rows `aging` of a table. */
type Chosen = AgingRows & Readonly<{ where: SQL }>

const archiveChosen = (deps: RowsDeps, chosen: Chosen): Promise<ArchivedRows> =>
  aloneWith(deps.pool, { table: chosen.table, range: allTime }, async () => {
    const { signal } = deps
    const { table } = chosen
    let [files, rows] = [0, 0]
    await discardUnrecorded(deps, table)
    await withStorage(deps.settings, async (storage) => {
      while (!signal.aborted) {
        const archived = await archiveBatch(deps, storage, chosen)
        if (archived === 0) return
        files += 1
        rows += archived
      }
      throw new Aborted(`old rows of ${table} were being archived: the next run goes on`)
    })
    return { table, files, rows, left: await countLeft(deps, chosen) }
  })

/** Expired rows that cannot be archived. */
async function countLeft({ pool }: RowsDeps, { table, where }: Chosen): Promise<number> {
  const { rows } = await inRowsTransaction(pool, table, ({ db }) =>
    db.execute<{ rows: string }>(
      sql`select count(*) as rows from ${sql.identifier(table)} as aging where ${where}`,
    ),
  )
  return Number(rows[0]?.rows)
}

/** Its rows are still in the table and go into the next batch. */
async function discardUnrecorded(deps: ArchiveDeps, table: string): Promise<void> {
  const archives = await rowArchivesOf(databaseOf(deps.pool), table)
  await discardUnfinished(
    deps,
    archives.filter(({ state }) => state !== 'dropped' && state !== 'restored'),
  )
}

async function archiveBatch(deps: ArchiveDeps, storage: ArchiveStorage, chosen: Chosen): Promise<number> {
  const { pool, settings } = deps
  const { table, by } = chosen
  for (let attempt = 1; attempt <= triesOfBatch; attempt += 1) {
    const { columns, key } = await readShape(databaseOf(pool), ownTable(table))
    const where = sql`(${chosen.where}) and ${isWritable(columns)}`
    const batch = await inRowsTransaction(pool, table, ({ db }) =>
      nextBatch(db, { table, by, where, key, most: settings.archive.batch }),
    )
    if (!batch) return 0
    const selection = {
      relation: sql`${relationOf(ownTable(table))} as aging`,
      columns,
      key: batch.order,
      where: batch.where,
    }
    const archive = await writeBatch(deps, storage, table, batch, selection)
    if (await takeArchived(deps, archive, selection)) return archive.written?.content.rows ?? 0
    await discard(deps, archive)
  }
  throw new Unavailable(
    `rows of ${table} were changed each time they were being archived: the next run tries again`,
  )
}

async function writeBatch(
  deps: ArchiveDeps,
  storage: ArchiveStorage,
  table: string,
  { range }: RowBatch,
  selection: RowSelection,
): Promise<Archive> {
  const { pool, clock, steps } = deps
  const { columns } = selection
  const archive = await intendArchive(
    databaseOf(pool),
    { table, range, place: storage.place, columns },
    clock.now(),
  )
  await steps?.('intended')
  const file = await inRowsTransaction(pool, table, (tx) =>
    writeDraft(storage, archive, exportRows(tx, selection)),
  )
  // Content comes from the draft, and is compared with both the deleted rows and the published file.
  const content = await contentOfFile(await storage.draftOf(archive.fileName), columns)
  return publish(deps, storage, archive, content, file)
}

/** Deletes the rows and records that, unless they differ from the file. */
async function takeArchived(
  { pool, clock, steps }: ArchiveDeps,
  archive: Archive,
  selection: RowSelection,
): Promise<boolean> {
  try {
    await inRowsTransaction(pool, archive.table, async ({ db }) => {
      await recordMaintenance(db, archiveEntry('ARCHIVE', archive))
      await leaveOutRows(db)
      const taken = await takeRows(db, selection)
      await steps?.('taken')
      if (!archive.written || !sameContent(taken, archive.written.content)) throw new RowsChanged()
      await recordDropped(db, archive.id, clock.now())
      await steps?.('recorded')
    })
    return true
  } catch (error) {
    if (error instanceof RowsChanged) return false
    throw error
  }
}

class RowsChanged extends Error {}
