import { randomUUID } from 'node:crypto'
import { and, asc, eq, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { type ArchiveRow, archives } from '../../../drizzle/schema/archives.ts'
import { InvalidInput } from '../../fault.ts'
import { type Instant, toIso, toMinuteText } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { fromMs } from '../multirange.ts'
import { type Database, withFaults } from '../transaction.ts'
import {
  type ArchiveColumn,
  type Checksums,
  type Content,
  contentOf,
  differingColumns,
  sameContent,
} from './archive-content.ts'
import { type ArchivedCoverage, coverageForm } from './archived-coverage.ts'
import type { Leaf } from './expiring-partitions.ts'

export type ArchiveState = ArchiveRow['state']

/** What a file that is whole holds. `bytes` and `sha256` are of the file. */
export type Written = Readonly<{ content: Content; bytes: number; sha256: string }>

/** One row of the manifest. */
export type Archive = Readonly<{
  id: string
  table: string
  /** Undefined where rows were archived one by one. */
  partition: string | undefined
  range: Range
  state: ArchiveState
  place: string
  fileName: string
  columns: readonly ArchiveColumn[]
  coverage: readonly ArchivedCoverage[]
  /** Undefined while the file is being written. */
  written: Written | undefined
  createdAt: Instant
  verifiedAt: Instant | undefined
  droppedAt: Instant | undefined
  restoredAt: Instant | undefined
  restoredUntil: Instant | undefined
}>

/** States in which a file was read back and found equal to the rows it stands for. */
const believedStates: readonly ArchiveState[] = ['verified', 'dropped', 'restored']
export const isBelieved = ({ state }: Archive): boolean => believedStates.includes(state)

const columnsForm = z.array(z.object({ name: z.string(), type: z.string(), nullable: z.boolean() }))
const checksumsForm = z.record(z.string(), z.string())

const toArchive = (row: ArchiveRow): Archive => ({
  id: row.id,
  table: row.tableName,
  partition: row.partitionName ?? undefined,
  range: { from: row.rangeFrom, to: row.rangeTo },
  state: row.state,
  place: row.place,
  fileName: row.fileName,
  columns: columnsForm.parse(row.columns),
  coverage: coverageForm.parse(row.coverage ?? []),
  written: writtenOf(row),
  createdAt: row.createdAt,
  verifiedAt: row.verifiedAt ?? undefined,
  droppedAt: row.droppedAt ?? undefined,
  restoredAt: row.restoredAt ?? undefined,
  restoredUntil: row.restoredUntil ?? undefined,
})

function writtenOf({ rowCount, bytes, sha256, checksums }: ArchiveRow): Written | undefined {
  if (rowCount === null || bytes === null || sha256 === null) return undefined
  return { content: { rows: rowCount, checksums: checksumsForm.parse(checksums) }, bytes, sha256 }
}

/** Every archive by table and time, or those that the condition picks. */
async function select(db: Database, condition?: SQL): Promise<Archive[]> {
  const rows = await withFaults(
    db
      .select()
      .from(archives)
      .where(condition)
      .orderBy(asc(archives.tableName), asc(archives.rangeFrom), asc(archives.createdAt)),
  )
  return rows.map(toArchive)
}

export const listArchives = (db: Database): Promise<Archive[]> => select(db)

/** What there is of one partition of a table, or, without one, of its rows that were archived one by one. */
export const archivesOf = (db: Database, table: string, partition?: string): Promise<Archive[]> =>
  select(
    db,
    and(
      eq(archives.tableName, table),
      sql`${archives.partitionName} is not distinct from ${partition ?? null}`,
    ),
  )

/** The archive whose id is this or begins so. Throws InvalidInput where there is none, or more than one. */
export async function findArchive(db: Database, idOrStart: string): Promise<Archive> {
  const found = /^[0-9a-f-]{1,36}$/.test(idOrStart)
    ? await select(db, sql`starts_with(${archives.id}::text, ${idOrStart})`)
    : []
  const [archive, another] = found
  if (!archive)
    throw new InvalidInput(`there is no archive "${idOrStart}": beacon archive list shows the ids`)
  if (another)
    throw new InvalidInput(`more than one archive begins with "${idOrStart}": write more of its id`)
  return archive
}

export type NewArchive = Readonly<{
  table: string
  partition?: string
  range: Range
  place: string
  columns: readonly ArchiveColumn[]
  /** What the ledger says of the rows, which comes back with them. */
  coverage?: readonly ArchivedCoverage[]
}>

/** Says which file is about to be written, before its first byte is: what has no row here is believed by nobody. */
export async function intendArchive(db: Database, archive: NewArchive, now: Instant): Promise<Archive> {
  const id = randomUUID()
  const fileName = `${archive.table}/${archive.partition ?? archive.table}.${id}.parquet`
  await db.execute(sql`
    insert into archives (id, table_name, partition_name, range_from, range_to, state, place, file_name, columns, coverage, created_at)
    values (${id}::uuid, ${archive.table}, ${archive.partition ?? null}, ${toIso(archive.range.from)}::timestamp,
      ${toIso(archive.range.to)}::timestamp, 'writing', ${archive.place}, ${fileName}, ${JSON.stringify(archive.columns)}::jsonb,
      ${archive.coverage === undefined ? null : JSON.stringify(archive.coverage)}::jsonb, ${toIso(now)}::timestamp)`)
  return findArchive(db, id)
}

/** The file is whole and lies where it belongs; nobody has read it back yet. */
export async function recordWritten(db: Database, id: string, written: Written): Promise<void> {
  await db.execute(sql`
    update archives set state = 'written', row_count = ${written.content.rows}, bytes = ${written.bytes},
      sha256 = ${written.sha256}, checksums = ${checksumsText(written.content.checksums)}::jsonb
    where id = ${id}::uuid`)
}

const checksumsText = (checksums: Checksums): string => JSON.stringify(checksums)

/** The file was read back, and holds what the table does. */
export async function recordVerified(db: Database, id: string, now: Instant): Promise<void> {
  await db.execute(sql`
    update archives set state = 'verified', verified_at = ${toIso(now)}::timestamp where id = ${id}::uuid`)
}

/** The file was read back once more, and is what it was. */
export async function recordReadBack(db: Database, id: string, now: Instant): Promise<void> {
  await db.execute(sql`
    update archives set verified_at = ${toIso(now)}::timestamp where id = ${id}::uuid and state in ${believedStates}`)
}

/** The rows of the archive left the table in this very transaction. */
export async function recordDropped(db: Database, id: string, now: Instant): Promise<void> {
  await db.execute(sql`
    update archives set state = 'dropped', dropped_at = ${toIso(now)}::timestamp,
      verified_at = coalesce(verified_at, ${toIso(now)}::timestamp), restored_until = null
    where id = ${id}::uuid`)
}

/** The rows are in the table again, where retention leaves them alone until `until`. */
export async function recordRestored(db: Database, id: string, now: Instant, until: Instant): Promise<void> {
  await db.execute(sql`
    update archives set state = 'restored', restored_at = ${toIso(now)}::timestamp, restored_until = ${toIso(until)}::timestamp
    where id = ${id}::uuid`)
}

/** Its file is about to be removed: from here on nobody believes it. */
export async function recordDiscarded(db: Database, id: string): Promise<void> {
  await db.execute(sql`update archives set state = 'discarded' where id = ${id}::uuid`)
}

/** Its file is gone. */
export async function forgetArchive(db: Database, id: string): Promise<void> {
  await db.execute(sql`delete from archives where id = ${id}::uuid and state = 'discarded'`)
}

/**
 * Until when a restored partition is to be left alone; undefined where nothing is held back. `partition` is undefined for
 * rows that were archived one by one.
 */
export async function readHeldUntil(
  db: Database,
  table: string,
  partition: string | undefined,
  now: Instant,
): Promise<Instant | undefined> {
  const { rows } = await db.execute<{ until_ms: string | null }>(sql`
    select extract(epoch from max(restored_until)) * 1000 as until_ms from archives
    where table_name = ${table} and partition_name is not distinct from ${partition ?? null}
      and state = 'restored' and restored_until > ${toIso(now)}::timestamp`)
  const untilText = rows[0]?.until_ms ?? undefined
  return untilText === undefined ? undefined : fromMs(untilText)
}

/** The verified archive that speaks for the partition as a whole; undefined where there is none. */
async function verifiedArchiveOf(db: Database, { table, name }: Leaf): Promise<Archive | undefined> {
  const archives = await archivesOf(db, table, name)
  return archives.findLast(({ state }) => state === 'verified')
}

/**
 * Why a partition must stay, as the end of a sentence; undefined when all that it holds lies in a file that was read back.
 * Counts and sums the partition once more: asked in the transaction that drops it, the answer holds.
 */
export async function archiveObjection(db: Database, leaf: Leaf, now: Instant): Promise<string | undefined> {
  const heldUntil = await readHeldUntil(db, leaf.table, leaf.name, now)
  if (heldUntil !== undefined) {
    return `it was put back from the archive, and stays until ${toMinuteText(heldUntil)}`
  }
  const archive = await verifiedArchiveOf(db, leaf)
  if (!archive?.written) return 'it is not in a verified archive yet'
  const { content: archived } = archive.written
  const content = await contentOf(db, { relation: leaf.name, columns: archive.columns, key: [] })
  if (sameContent(content, archived)) return undefined
  const counts = `${archived.rows} rows in the file, ${content.rows} in the table`
  return `it has changed since it was archived (${counts}; ${differingColumns(content, archived).join(', ')} differ): the next run archives it again`
}

/** In the transaction that drops the partition: its rows are in the file alone from here on. */
export async function settleArchived(db: Database, leaf: Leaf, now: Instant): Promise<void> {
  const archive = await verifiedArchiveOf(db, leaf)
  if (!archive) throw new Error(`${leaf.name} is dropped without an archive`)
  await recordDropped(db, archive.id, now)
}

/** Whether a verified archive stands for the partition; of its content now, only `archiveObjection` tells. */
export async function isArchived(db: Database, leaf: Leaf): Promise<boolean> {
  const archives = await archivesOf(db, leaf.table, leaf.name)
  return archives.some(({ state }) => state === 'verified' || state === 'dropped')
}
