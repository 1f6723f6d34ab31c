import { sql } from 'drizzle-orm'
import type { Instant } from '../../../market/instant.ts'
import { fromMs } from '../../coverage/multirange.ts'
import type { Database } from '../../transaction.ts'

export type ArchiveSummary = Readonly<{
  files: number
  rows: number
  bytes: number
  /** Not read back yet. */
  unverified: number
  newest: Readonly<{ name: string; rows: number; bytes: number; createdAt: Instant }> | undefined
  /** When a file was last read back successfully. */
  lastVerifiedAt: Instant | undefined
  /** The earliest last read-back of any file. */
  longestUnreadAt: Instant | undefined
}>

type SummaryRow = Readonly<{
  files: number
  rows: string
  bytes: string
  unverified: number
  newest: Readonly<{ name: string; rows: number; bytes: number; created_ms: number }> | null
  last_ms: string | null
  first_ms: string | null
}>

export async function readArchiveSummary(db: Database): Promise<ArchiveSummary> {
  const { rows } = await db.execute<SummaryRow>(sql`
    with trusted as (select * from archives where state in ('verified', 'dropped', 'restored'))
    select count(*)::integer as files, coalesce(sum(row_count), 0) as rows, coalesce(sum(bytes), 0) as bytes,
      (select count(*)::integer from archives where state in ('writing', 'written')) as unverified,
      (select jsonb_build_object('name', coalesce(partition_name, table_name), 'rows', row_count, 'bytes', bytes,
        'created_ms', extract(epoch from created_at) * 1000) from trusted order by created_at desc limit 1) as newest,
      extract(epoch from max(verified_at)) * 1000 as last_ms, extract(epoch from min(verified_at)) * 1000 as first_ms
    from trusted`)
  const [row] = rows
  if (!row) throw new Error('an aggregate without a row')
  const { newest } = row
  return {
    files: row.files,
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    unverified: row.unverified,
    newest: newest
      ? {
          name: newest.name,
          rows: newest.rows,
          bytes: newest.bytes,
          createdAt: fromMs(String(newest.created_ms)),
        }
      : undefined,
    lastVerifiedAt: row.last_ms === null ? undefined : fromMs(row.last_ms),
    longestUnreadAt: row.first_ms === null ? undefined : fromMs(row.first_ms),
  }
}
