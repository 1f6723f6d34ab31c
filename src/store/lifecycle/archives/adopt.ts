import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../../market/instant.ts'
import type { Database } from '../../transaction.ts'
import { checksumsText, type NewArchive, type Written } from '../archives.ts'
import type { ArchivedCoverage } from './archived-coverage.ts'

export type Adopted = Omit<NewArchive, 'partition'> &
  Readonly<{
    id: string
    partition: string | undefined
    fileName: string
    coverage: readonly ArchivedCoverage[]
    written: Written
    createdAt: Instant
  }>

/** Adds a manifest row for a file without one. */
export async function adoptArchive(db: Database, archive: Adopted, now: Instant): Promise<void> {
  const { id, table, partition, range, place, fileName, columns, coverage, written, createdAt } = archive
  await db.execute(sql`
    insert into archives (id, table_name, partition_name, range_from, range_to, state, place, file_name, columns, coverage,
      row_count, bytes, sha256, checksums, created_at, verified_at, dropped_at)
    values (${id}::uuid, ${table}, ${partition ?? null}, ${toIso(range.from)}::timestamp, ${toIso(range.to)}::timestamp,
      'dropped', ${place}, ${fileName}, ${JSON.stringify(columns)}::jsonb, ${JSON.stringify(coverage)}::jsonb,
      ${written.content.rows}, ${written.bytes}, ${written.sha256}, ${checksumsText(written.content.checksums)}::jsonb,
      ${toIso(createdAt)}::timestamp, ${toIso(now)}::timestamp, ${toIso(createdAt)}::timestamp)`)
}
