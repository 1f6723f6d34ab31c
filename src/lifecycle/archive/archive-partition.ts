import type { Pool } from 'pg'
import { Fault, Unavailable } from '../../fault.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Settings } from '../../settings.ts'
import { alone } from '../../store/alone.ts'
import {
  type Content,
  contentOf,
  exportRows,
  type RowSelection,
  readAtOneMoment,
  readShape,
  sameContent,
} from '../../store/lifecycle/archive-content.ts'
import { coverageOf } from '../../store/lifecycle/archived-coverage.ts'
import {
  type Archive,
  archiveObjection,
  archivesOf,
  forgetArchive,
  intendArchive,
  isBelieved,
  readHeldUntil,
  recordDiscarded,
  recordVerified,
  recordWritten,
  settleArchived,
} from '../../store/lifecycle/archives.ts'
import type { Leaf } from '../../store/lifecycle/expiring-partitions.ts'
import type { Safekeeping } from '../../store/lifecycle/safekeeping.ts'
import { databaseOf, inTransaction } from '../../store/transaction.ts'
import { DamagedArchive } from './damaged-archive.ts'
import { asFault } from './folder-storage.ts'
import { type ArchiveStorage, withStorage, withStorageOf } from './storage.ts'
import { verifyArchive, verifyIn } from './verify-archive.ts'
import { type WrittenFile, writeParquet } from './write-parquet.ts'

export type ArchiveReach = Readonly<{
  pool: Pool
  settings: Settings
  clock: Clock
  /** Called between two steps, with the name of the one that is done: a test ends the process there. */
  steps?: (name: string) => Promise<void>
}>

/** How a partition is kept whose policy says `archive`. */
export const archiveSafekeeping = (reach: ArchiveReach): Safekeeping => ({
  prepare: async (leaf) => {
    const heldUntil = await readHeldUntil(databaseOf(reach.pool), leaf.table, leaf.name, reach.clock.now())
    // It will stay, and its archive goes on saying until when.
    if (heldUntil === undefined) await archivePartition(reach, leaf)
  },
  objection: (db, leaf) => archiveObjection(db, leaf, reach.clock.now()),
  settle: settleArchived,
})

/**
 * Makes sure that a file, read back, holds exactly what the partition does, and returns its row of the manifest. One that
 * is there already is not written again. What an interrupted run has left is removed first.
 */
export const archivePartition = (reach: ArchiveReach, leaf: Leaf): Promise<Archive> =>
  aloneWith(reach.pool, leaf.name, async () => {
    const archives = await archivesOf(databaseOf(reach.pool), leaf.table, leaf.name)
    await discardUnfinished(
      reach,
      archives.filter((one) => !isBelieved(one)),
    )
    const believed = archives.filter(isBelieved)
    return (await reused(reach, leaf, believed)) ?? (await archiveAnew(reach, leaf, believed))
  })

/** Throws Unavailable while another process archives or restores the same. */
export const aloneWith = <T>(pool: Pool, what: string, work: () => Promise<T>): Promise<T> =>
  alone(
    pool,
    `archive:${what}`,
    `another process is archiving or restoring ${what}: try again when it is done`,
    work,
  )

/**
 * Removes what interrupted runs have left. Where the place it was meant for cannot be used any more, its row stays behind as
 * discarded, and the next run tries again: a place that was written wrong once must not keep everything from being archived.
 */
export async function discardUnfinished(reach: ArchiveReach, archives: readonly Archive[]): Promise<void> {
  for (const archive of archives) {
    try {
      await discard(reach, archive)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
    }
  }
}

/** Removes a file that nobody believes, and then its row: a file without a row is nobody's. */
export async function discard({ pool, settings }: ArchiveReach, archive: Archive): Promise<void> {
  const db = databaseOf(pool)
  await recordDiscarded(db, archive.id)
  await withStorageOf(settings, archive, (storage) => storage.remove(archive.fileName))
  await forgetArchive(db, archive.id)
}

/** A partition that was put back and not changed lies in its old file still. */
async function reused(
  reach: ArchiveReach,
  leaf: Leaf,
  believed: readonly Archive[],
): Promise<Archive | undefined> {
  if (believed.length === 0) return undefined
  const { pool, settings, clock } = reach
  const content = await inTransaction(
    pool,
    async ({ db }) => contentOf(db, { relation: leaf.name, ...(await readShape(db, leaf.name)) }),
    'upkeep',
  )
  for (const archive of believed.toReversed()) {
    if (!archive.written || !sameContent(archive.written.content, content)) continue
    if (!(await isSound(settings, archive))) continue
    await recordVerified(databaseOf(pool), archive.id, clock.now())
    return { ...archive, state: 'verified' }
  }
  return undefined
}

async function isSound(settings: Settings, archive: Archive): Promise<boolean> {
  try {
    await verifyArchive(settings, archive)
    return true
  } catch (error) {
    // The rows are in the table: another file is written.
    if (error instanceof DamagedArchive) return false
    throw error
  }
}

async function archiveAnew(reach: ArchiveReach, leaf: Leaf, believed: readonly Archive[]): Promise<Archive> {
  const { pool, settings } = reach
  return withStorage(settings, async (storage) => {
    const { archive, selection } = await inTransaction(pool, async ({ db }) => {
      const shape = await readShape(db, leaf.name)
      const coverage = await coverageOf(db, leaf)
      const intended = await intendArchive(
        db,
        {
          table: leaf.table,
          partition: leaf.name,
          range: leaf.range,
          place: storage.place,
          ...shape,
          coverage,
        },
        reach.clock.now(),
      )
      return { archive: intended, selection: { relation: leaf.name, ...shape } }
    })
    const { content, file } = await exportTo(reach, storage, archive, selection)
    const verified = await publish(reach, storage, archive, content, file)
    // Their rows never left the table, or are in it again: the new file has them as they are now.
    const isCovered = ({ state, written }: Archive) =>
      state !== 'dropped' || (written !== undefined && sameContent(written.content, content))
    for (const old of believed.filter(isCovered)) await discard(reach, old)
    return verified
  })
}

/** Content and file are of one moment of the table. */
function exportTo(
  { pool, steps }: ArchiveReach,
  storage: ArchiveStorage,
  archive: Archive,
  selection: RowSelection,
): Promise<Readonly<{ content: Content; file: WrittenFile }>> {
  return inTransaction(
    pool,
    async (tx) => {
      await readAtOneMoment(tx)
      const content = await contentOf(tx.db, selection)
      await steps?.('intended')
      const file = await writeDraft(storage, archive, exportRows(tx, selection))
      return { content, file }
    },
    'upkeep',
  )
}

/** Writes the rows to where the archive's file is made. */
export async function writeDraft(
  storage: ArchiveStorage,
  { id, table, partition, fileName, columns }: Archive,
  lines: AsyncIterable<Buffer>,
): Promise<WrittenFile> {
  const draft = await storage.draftOf(fileName)
  try {
    return await writeParquet(draft, columns, lines, { archive: id, table, partition: partition ?? '' })
  } catch (error) {
    throw asFault(error, storage.place)
  }
}

/**
 * Puts the draft where it belongs, reads it back from there, and writes both down. A file that is not what was written is
 * removed, and the rows stay where they are: throws Unavailable, since another try writes another file.
 */
export async function publish(
  reach: ArchiveReach,
  storage: ArchiveStorage,
  archive: Archive,
  content: Content,
  { bytes, sha256 }: WrittenFile,
): Promise<Archive> {
  const { pool, clock, steps } = reach
  const db = databaseOf(pool)
  const written = { content, bytes, sha256 }
  await steps?.('drafted')
  await storage.publish(archive.fileName)
  await steps?.('published')
  await recordWritten(db, archive.id, written)
  await steps?.('written')
  try {
    await verifyIn(storage, { ...archive, written })
  } catch (error) {
    if (!(error instanceof DamagedArchive)) throw error
    await discard(reach, archive)
    throw new Unavailable(
      `${error.message}; it was removed, and no row was: look at the disk or store it was on`,
      {
        cause: error,
      },
    )
  }
  const verifiedAt = clock.now()
  await recordVerified(db, archive.id, verifiedAt)
  await steps?.('verified')
  return { ...archive, state: 'verified', written, verifiedAt }
}
