import { Aborted, Unavailable } from '../../fault.ts'
import { type Instant, plus } from '../../market/instant.ts'
import {
  exportRows,
  type RowSelection,
  readShape,
  sameContent,
} from '../../store/lifecycle/archive-content.ts'
import {
  type AgingRows,
  inRowsTransaction,
  nextBatch,
  type RowBatch,
  takeRows,
} from '../../store/lifecycle/archived-rows.ts'
import { type Archive, archivesOf, intendArchive, recordDropped } from '../../store/lifecycle/archives.ts'
import { databaseOf } from '../../store/transaction.ts'
import {
  type ArchiveReach,
  aloneWith,
  discard,
  discardUnfinished,
  publish,
  writeDraft,
} from './archive-partition.ts'
import { contentOfFile } from './read-parquet.ts'
import { type ArchiveStorage, withStorage } from './storage.ts'

export type RowsReach = ArchiveReach & Readonly<{ signal: AbortSignal }>

export type ArchivedRows = Readonly<{ table: string; files: number; rows: number }>

/** A row may change between its export and its deletion: such a batch is written anew, so often. */
const triesOfBatch = 3

/**
 * Moves rows of a table that are older than `keepMs` to the archive, batch by batch: each batch is written to a file, read
 * back, and deleted in the transaction that records it, if it still is what the file holds.
 */
export const archiveRows = (reach: RowsReach, aging: AgingRows, keepMs: number): Promise<ArchivedRows> =>
  aloneWith(reach.pool, aging.table, async () => {
    const { clock, signal } = reach
    const before = plus(clock.now(), -keepMs)
    let [files, rows] = [0, 0]
    await discardUnrecorded(reach, aging.table)
    await withStorage(reach.settings, async (storage) => {
      while (!signal.aborted) {
        const archived = await archiveBatch(reach, storage, aging, before)
        if (archived === 0) return
        files += 1
        rows += archived
      }
      throw new Aborted(`old rows of ${aging.table} were being archived: the next run goes on`)
    })
    return { table: aging.table, files, rows }
  })

/** Until its rows are deleted, a batch is nobody's: they are in the table, and the next batch has them. */
async function discardUnrecorded(reach: ArchiveReach, table: string): Promise<void> {
  const archives = await archivesOf(databaseOf(reach.pool), table)
  await discardUnfinished(
    reach,
    archives.filter(({ state }) => state !== 'dropped' && state !== 'restored'),
  )
}

/** Returns how many rows left the table. */
async function archiveBatch(
  reach: ArchiveReach,
  storage: ArchiveStorage,
  aging: AgingRows,
  before: Instant,
): Promise<number> {
  const { pool, settings, clock } = reach
  for (let attempt = 1; attempt <= triesOfBatch; attempt += 1) {
    const shape = await readShape(databaseOf(pool), aging.table)
    const batch = await inRowsTransaction(pool, aging.table, ({ db }) =>
      nextBatch(db, aging, shape.key, before, settings.archive.batch, clock.now()),
    )
    if (!batch) return 0
    const selection = { relation: aging.table, columns: shape.columns, key: batch.order, where: batch.where }
    const archive = await writeBatch(reach, storage, batch, selection)
    if (await takeArchived(reach, archive, selection)) return archive.written?.content.rows ?? 0
    await discard(reach, archive)
  }
  throw new Unavailable(
    `rows of ${aging.table} were changed each time they were being archived: the next run tries again`,
  )
}

async function writeBatch(
  reach: ArchiveReach,
  storage: ArchiveStorage,
  { range }: RowBatch,
  selection: RowSelection,
): Promise<Archive> {
  const { pool, clock, steps } = reach
  const table = selection.relation
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
  return publish(reach, storage, archive, content, file)
}

/** Deletes the rows and records it, unless they are no longer what the file holds: then nothing has happened. */
async function takeArchived(
  { pool, clock, steps }: ArchiveReach,
  archive: Archive,
  selection: RowSelection,
): Promise<boolean> {
  try {
    await inRowsTransaction(pool, selection.relation, async ({ db }) => {
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
