import { randomUUID } from 'node:crypto'
import { and, asc, eq, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { type ArchiveRow, archives } from '../../../drizzle/schema/archives.ts'
import { InvalidInput } from '../../fault.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { fromMs, parseMultirange, type RangeRow, spansText, toRange } from '../coverage/multirange.ts'
import { moveDigests } from '../digests/archive-digests.ts'
import { type Maintenance, recordMaintenance } from '../maintenance-audit.ts'
import { type Database, withFaults } from '../transaction.ts'
import {
  type ArchiveColumn,
  type Checksums,
  type Content,
  contentOf,
  differingColumns,
  sameContent,
} from './archives/archive-content.ts'
import { type ArchivedCoverage, coverageForm, timeframeOf } from './archives/archived-coverage.ts'
import { type Partition, relationOf } from './list-partitions.ts'
import { PartitionHeld } from './partition-holds.ts'

type ArchiveState = ArchiveRow['state']

/** `bytes` and `sha256` are of the file. */
export type Written = Readonly<{ content: Content; bytes: number; sha256: string }>

/** A row of the manifest. */
export type Archive = Readonly<{
  id: string
  table: string
  /** Undefined for row archives. */
  partition: string | undefined
  range: Range
  state: ArchiveState
  place: string
  fileName: string
  columns: readonly ArchiveColumn[]
  coverage: readonly ArchivedCoverage[]
  /** Undefined while the file is written. */
  written: Written | undefined
  createdAt: Instant
  verifiedAt: Instant | undefined
  droppedAt: Instant | undefined
  restoredAt: Instant | undefined
  restoredUntil: Instant | undefined
  /** Whether its checksums are counted. */
  isCounted: boolean
  /** Order in which rows left the table. */
  sequence: number
  /** Ranges restored to the table, which is read instead. */
  restored: readonly Range[]
  /** Ranges in a newer file, which is read instead. */
  superseded: readonly Range[]
}>

/** States of files that were read back and equal their rows. */
const trustedStates: readonly ArchiveState[] = ['verified', 'dropped', 'restored']
export const isTrusted = ({ state }: Archive): boolean => trustedStates.includes(state)

export const columnsForm = z.array(z.object({ name: z.string(), type: z.string(), nullable: z.boolean() }))
export const checksumsForm = z.record(z.string(), z.string())

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
  isCounted: row.counted,
  sequence: row.sequence,
  restored: parseMultirange(row.restoredRanges),
  superseded: parseMultirange(row.supersededRanges),
})

function writtenOf({ rowCount, bytes, sha256, checksums }: ArchiveRow): Written | undefined {
  if (rowCount === null || bytes === null || sha256 === null) return undefined
  return { content: { rows: rowCount, checksums: checksumsForm.parse(checksums) }, bytes, sha256 }
}

/** Ordered by table and time. */
async function select(db: Database, condition?: SQL): Promise<Archive[]> {
  const rows = await withFaults(
    db
      .select()
      .from(archives)
      .where(condition)
      .orderBy(asc(archives.tableName), asc(archives.rangeFrom), asc(archives.sequence)),
  )
  return rows.map(toArchive)
}

export const listArchives = (db: Database): Promise<Archive[]> => select(db)

/** Tables with row archives. */
export async function listRowTables(db: Database): Promise<string[]> {
  const { rows } = await db.execute<{ table: string }>(sql`
    select distinct table_name as "table" from archives
    where partition_name is null and state in ('dropped', 'restored') order by 1`)
  return rows.map(({ table }) => table)
}

/** Row archives of a table. */
export const rowArchivesOf = (db: Database, table: string): Promise<Archive[]> =>
  select(db, and(eq(archives.tableName, table), sql`${archives.partitionName} is null`))

/** Partition archives of a table that overlap the range, oldest first. */
export const archivesWithin = async (
  db: Database,
  table: string,
  { from, to }: Range,
): Promise<Archive[]> => {
  const found = await select(
    db,
    sql`table_name = ${table} and partition_name is not null
      and range_from < ${toIso(to)}::timestamp and range_to > ${toIso(from)}::timestamp`,
  )
  return found.toSorted(bySequence)
}

/** Of two files with the same row the later is read. */
export const bySequence = (a: Archive, b: Archive): number => a.sequence - b.sequence

/** Finds an archive by id prefix. Throws InvalidInput for none or several. */
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
  /** Coverage of the rows, restored with them. */
  coverage?: readonly ArchivedCoverage[]
}>

/** Records a file before it is written: files without a row are not trusted. */
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

/** The file is complete and in place, but not read back. */
export async function recordWritten(db: Database, id: string, written: Written): Promise<void> {
  await db.execute(sql`
    update archives set state = 'written', row_count = ${written.content.rows}, bytes = ${written.bytes},
      sha256 = ${written.sha256}, checksums = ${checksumsText(written.content.checksums)}::jsonb
    where id = ${id}::uuid`)
}

export const checksumsText = (checksums: Checksums): string => JSON.stringify(checksums)

/** The file was read back and equals the table. */
export async function recordVerified(db: Database, id: string, now: Instant): Promise<void> {
  await db.execute(sql`
    update archives set state = 'verified', verified_at = ${toIso(now)}::timestamp where id = ${id}::uuid`)
}

/** The file was read back again, unchanged. */
export async function recordReadBack(db: Database, id: string, now: Instant): Promise<void> {
  await db.execute(sql`
    update archives set verified_at = ${toIso(now)}::timestamp where id = ${id}::uuid and state in ${trustedStates}`)
}

/** Call in the transaction that deletes the rows. */
export async function recordDropped(db: Database, id: string, now: Instant): Promise<void> {
  await db.execute(sql`
    update archives set state = 'dropped', dropped_at = ${toIso(now)}::timestamp,
      verified_at = coalesce(verified_at, ${toIso(now)}::timestamp), restored_until = null, restored_ranges = '{}',
      sequence = nextval(pg_get_serial_sequence('archives', 'sequence'))
    where id = ${id}::uuid`)
}

/** The rows are in the table again; retention skips them until `until`. */
export async function recordRestored(db: Database, id: string, now: Instant, until: Instant): Promise<void> {
  await db.execute(sql`
    update archives set state = 'restored', restored_at = ${toIso(now)}::timestamp, restored_until = ${toIso(until)}::timestamp,
      restored_ranges = case
        when partition_name is null then '{}' else tsmultirange(tsrange(range_from, range_to)) - superseded_ranges
      end
    where id = ${id}::uuid`)
}

/** Call before removing the file: it is no longer trusted. */
export async function recordDiscarded(db: Database, id: string): Promise<void> {
  await db.execute(sql`update archives set state = 'discarded' where id = ${id}::uuid`)
}

/** Call after removing the file. */
export async function forgetArchive(db: Database, id: string): Promise<void> {
  await db.execute(sql`delete from archives where id = ${id}::uuid and state = 'discarded'`)
}

/** Restored ranges and until when retention skips them. */
export async function readRestoredRanges(
  db: Database,
  now: Instant,
): Promise<readonly Readonly<{ table: string; range: Range; until: Instant }>[]> {
  const { rows } = await db.execute<RangeRow & { table: string; until_ms: string }>(sql`
    select table_name as table, extract(epoch from lower(part)) * 1000 as from_ms,
      extract(epoch from upper(part)) * 1000 as to_ms, extract(epoch from restored_until) * 1000 as until_ms
    from archives, unnest(restored_ranges) as part
    where restored_until > ${toIso(now)}::timestamp`)
  return rows.map((row) => ({ table: row.table, range: toRange(row), until: fromMs(row.until_ms) }))
}

/** Audit entry of rows archived or restored. */
export const archiveEntry = (operation: 'ARCHIVE' | 'RESTORE', archive: Archive): Maintenance => ({
  operation,
  table: archive.table,
  entity: archive.partition ?? archive.table,
  details: {
    archive: archive.id,
    rows: archive.written?.content.rows ?? 0,
    from: toIso(archive.range.from),
    to: toIso(archive.range.to),
  },
})

const spanOf = ({ range }: Pick<Partition, 'range'>): SQL => sql`${spansText([range])}::tsmultirange`

/**
 * Records the archive in the transaction that deletes the partition, and marks its range in older files as superseded.
 * Throws PartitionHeld unless the archive holds exactly the partition's rows.
 */
export async function recordArchived(
  db: Database,
  partition: Partition,
  archive: Archive,
  now: Instant,
): Promise<void> {
  await refuseChanged(db, partition, archive)
  await recordDropped(db, archive.id, now)
  await recordMaintenance(db, archiveEntry('ARCHIVE', archive))
  const timeframe = timeframeOf(partition.table)
  if (timeframe !== undefined) await moveDigests(db, archive.id, timeframe, partition.range)
  const span = spanOf(partition)
  await db.execute(sql`
    update archives set superseded_ranges = superseded_ranges + restored_ranges * ${span}
    where table_name = ${partition.table} and id <> ${archive.id}::uuid and restored_ranges && ${span}`)
}

async function refuseChanged(db: Database, partition: Partition, archive: Archive): Promise<void> {
  const { written } = archive
  if (!written) throw new Error(`the archive ${archive.id} was never written`)
  const content = await contentOf(db, { relation: relationOf(partition), columns: archive.columns, key: [] })
  if (sameContent(content, written.content)) return
  const counts = `${written.content.rows} rows in the file, ${content.rows} in the table`
  const columns = differingColumns(content, written.content).join(', ')
  throw new PartitionHeld(
    'content',
    `it has changed since it was archived (${counts}; ${columns} differ), and is archived again by the next run`,
  )
}

/** Ends the restoration of deleted partitions' ranges, in the deleting transaction. */
export async function endRestored(db: Database, partitions: readonly Partition[]): Promise<void> {
  const [first] = partitions
  if (!first) return
  const span = sql`${spansText(partitions.map(({ range }) => range))}::tsmultirange`
  await db.execute(sql`
    update archives set restored_ranges = restored_ranges - ${span},
      state = case when isempty(restored_ranges - ${span}) then 'dropped' else state end,
      restored_until = case when isempty(restored_ranges - ${span}) then null else restored_until end
    where table_name = ${first.table} and restored_ranges && ${span}`)
}

/** Files replaced entirely by newer ones. */
export const listSuperseded = (db: Database): Promise<Archive[]> =>
  select(
    db,
    sql`superseded_ranges @> tsmultirange(tsrange(range_from, range_to)) and state in ${trustedStates}`,
  )
