import type { Pool } from 'pg'
import { Fault, Unavailable } from '../../fault.ts'
import { day, plus } from '../../market/instant.ts'
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
} from '../../store/lifecycle/archives/archive-content.ts'
import { coverageOf } from '../../store/lifecycle/archives/archived-coverage.ts'
import {
  type Archive,
  archivesWithin,
  forgetArchive,
  intendArchive,
  isTrusted,
  listSuperseded,
  recordArchived,
  recordDiscarded,
  recordReadBack,
  recordVerified,
  recordWritten,
} from '../../store/lifecycle/archives.ts'
import { type Partition, relationOf } from '../../store/lifecycle/list-partitions.ts'
import type { Safekeeping } from '../../store/lifecycle/safekeeping.ts'
import { databaseOf, inTransaction } from '../../store/transaction.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { DamagedArchive } from './damaged-archive.ts'
import { type WrittenFile, writeParquet } from './parquet/write-parquet.ts'
import { factTexts } from './storage/file-facts.ts'
import { asFault } from './storage/folder.ts'
import { withStorage, withStorageOf } from './storage.ts'
import { verifyArchive, verifyIn } from './verify-archive.ts'

export type ArchiveDeps = Readonly<{
  pool: Pool
  settings: Settings
  clock: Clock
  /** Called after each step; tests interrupt there. */
  steps?: (name: string) => Promise<void>
}>

export const archived =
  (deps: ArchiveDeps): Safekeeping =>
  async (partition) => {
    const archive = await archivePartition(deps, partition)
    return (db, now) => recordArchived(db, partition, archive, now)
  }

/**
 * Ensures a verified file with exactly the partition's rows and returns its manifest row; reuses an existing one.
 * Removes remains of interrupted runs first.
 */
export const archivePartition = (deps: ArchiveDeps, partition: Partition): Promise<Archive> =>
  aloneWith(deps.pool, partition, async () => {
    const archives = await archivesWithin(databaseOf(deps.pool), partition.table, partition.range)
    await discardUnfinished(
      deps,
      archives.filter((one) => isUnfinished(deps, one, partition)),
    )
    const trusted = archives.filter(isTrusted)
    return (await reused(deps, partition, trusted)) ?? (await archiveAnew(deps, partition, trusted))
  })

/** Other runs may write other ranges, but never for a day. */
const isUnfinished = ({ clock }: ArchiveDeps, archive: Archive, { range }: Partition): boolean =>
  !isTrusted(archive) &&
  ((archive.range.from === range.from && archive.range.to === range.to) ||
    archive.createdAt < plus(clock.now(), -day))

/** Throws Unavailable while another process archives or restores the same range. */
export const aloneWith = <T>(
  pool: Pool,
  { table, range }: Pick<Archive, 'table' | 'range'>,
  work: () => Promise<T>,
): Promise<T> =>
  alone(
    pool,
    `archive:${table}:${range.from}`,
    `another process is archiving or restoring rows of ${table}: try again when it is done`,
    work,
  )

/**
 * Removes remains of interrupted runs. If their storage is unusable the row stays as discarded, so that it does not
 * block archiving.
 */
export async function discardUnfinished(deps: ArchiveDeps, archives: readonly Archive[]): Promise<void> {
  for (const archive of archives) {
    try {
      await discard(deps, archive)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
    }
  }
}

/** Removes an untrusted file before its row, so that no file is orphaned. */
export async function discard({ pool, settings }: ArchiveDeps, archive: Archive): Promise<void> {
  const db = databaseOf(pool)
  await recordDiscarded(db, archive.id)
  await withStorageOf(settings, archive, (storage) => storage.remove(archive.fileName))
  await forgetArchive(db, archive.id)
}

/** A restored, unchanged partition still equals its file. */
async function reused(
  deps: ArchiveDeps,
  partition: Partition,
  trusted: readonly Archive[],
): Promise<Archive | undefined> {
  const usable = trusted.filter(({ superseded }) => superseded.length === 0)
  if (usable.length === 0) return undefined
  const { pool, settings, clock } = deps
  const content = await inTransaction(
    pool,
    async ({ db }) => contentOf(db, { relation: relationOf(partition), ...(await readShape(db, partition)) }),
    'maintenance',
  )
  for (const archive of usable.toReversed()) {
    if (!archive.written || !sameContent(archive.written.content, content)) continue
    if (!(await isSound(settings, archive))) continue
    await recordReadBack(databaseOf(pool), archive.id, clock.now())
    return archive
  }
  return undefined
}

async function isSound(settings: Settings, archive: Archive): Promise<boolean> {
  try {
    await verifyArchive(settings, archive)
    return true
  } catch (error) {
    // The rows are in the table, so another file can be written.
    if (error instanceof DamagedArchive) return false
    throw error
  }
}

async function archiveAnew(
  deps: ArchiveDeps,
  partition: Partition,
  trusted: readonly Archive[],
): Promise<Archive> {
  const { pool, settings } = deps
  return withStorage(settings, async (storage) => {
    const { archive, selection } = await inTransaction(pool, async ({ db }) => {
      const shape = await readShape(db, partition)
      const { table, name, range } = partition
      const coverage = await coverageOf(db, partition)
      const intended = await intendArchive(
        db,
        { table, partition: name, range, place: storage.place, ...shape, coverage },
        deps.clock.now(),
      )
      return { archive: intended, selection: { relation: relationOf(partition), ...shape } }
    })
    const { content, file } = await exportTo(deps, storage, archive, selection)
    const verified = await publish(deps, storage, archive, content, file)
    // Their rows never left the table: the new file replaces them.
    for (const old of trusted.filter(({ state }) => state === 'verified')) await discard(deps, old)
    return verified
  })
}

/** Removes files replaced entirely by newer ones. */
export async function discardSuperseded(deps: ArchiveDeps): Promise<void> {
  await discardUnfinished(deps, await listSuperseded(databaseOf(deps.pool)))
}

/** Content and file come from one snapshot. */
function exportTo(
  { pool, steps }: ArchiveDeps,
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
      const file = await writeDraft(storage, archive, exportRows(tx, selection), content)
      return { content, file }
    },
    'maintenance',
  )
}

export async function writeDraft(
  storage: ArchiveStorage,
  archive: Archive,
  lines: AsyncIterable<Buffer>,
  content?: Content,
): Promise<WrittenFile> {
  const draft = await storage.draftOf(archive.fileName)
  try {
    return await writeParquet(draft, archive.columns, lines, factTexts(archive, content))
  } catch (error) {
    throw asFault(error, storage.place)
  }
}

/**
 * Moves the draft into place, reads it back and records it. If it differs, the file is removed, rows stay, and
 * Unavailable is thrown: a retry writes another file.
 */
export async function publish(
  deps: ArchiveDeps,
  storage: ArchiveStorage,
  archive: Archive,
  content: Content,
  { bytes, sha256 }: WrittenFile,
): Promise<Archive> {
  const { pool, clock, steps } = deps
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
    await discard(deps, archive)
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
