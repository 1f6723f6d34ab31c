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
  /** Old enough, with a time that no file can hold: they stay. */
  left: number
}>

/** A row may change between its export and its deletion: such a batch is written anew, so often. */
const triesOfBatch = 3

/**
 * Moves rows of a table that are older than `keepMs` to the archive, batch by batch: each batch is written to a file, read
 * back, and deleted in the transaction that records it, if it still is what the file holds. What the audit log says of
 * rows of users follows them.
 */
export async function archiveRows(deps: RowsDeps, rows: AgingRows, keepMs: number): Promise<ArchivedRows> {
  const { pool, clock, settings } = deps
  const aging = { ...rows, keepMs, now: clock.now(), timeframes: settings.timeframes }
  const archived = await archiveChosen(deps, { ...rows, where: mayLeave(aging) })
  if (await belongsToUsers(pool, rows.table))
    await archiveChosen(deps, { table: 'audit_logs', by: 'timestamp', where: isOfRecordsGone(rows.table) })
  return archived
}

/** Which rows of a table are meant, called `aging`. */
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

/** What still may leave once all that a file can hold has left. */
async function countLeft({ pool }: RowsDeps, { table, where }: Chosen): Promise<number> {
  const { rows } = await inRowsTransaction(pool, table, ({ db }) =>
    db.execute<{ rows: string }>(
      sql`select count(*) as rows from ${sql.identifier(table)} as aging where ${where}`,
    ),
  )
  return Number(rows[0]?.rows)
}

/** Until its rows are deleted, a batch is nobody's: they are in the table, and the next batch has them. */
async function discardUnrecorded(deps: ArchiveDeps, table: string): Promise<void> {
  const archives = await rowArchivesOf(databaseOf(deps.pool), table)
  await discardUnfinished(
    deps,
    archives.filter(({ state }) => state !== 'dropped' && state !== 'restored'),
  )
}

/** Returns how many rows left the table. */
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
  // What the rows are is read from the draft, and compared with what is deleted; the file must then be the draft.
  const content = await contentOfFile(await storage.draftOf(archive.fileName), columns)
  return publish(deps, storage, archive, content, file)
}

/** Deletes the rows and records it, unless they are no longer what the file holds: then nothing has happened. */
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

/** Takes the deletion back. */
class RowsChanged extends Error {}
