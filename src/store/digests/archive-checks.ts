import { desc, isNull, sql } from 'drizzle-orm'
import { archiveChecks } from '../../../drizzle/schema/digests.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { type Database, withFaults } from '../transaction.ts'

/** A difference between what was written and what is there. */
export type CheckProblem = Readonly<{ where: string; problem: string; remedy: string }>

export type CheckResult = Readonly<{
  /** Undefined for all coins. */
  coinIds: readonly string[] | undefined
  checkedAt: Instant
  durationMs: number
  series: number
  liveRows: number
  archivedRows: number
  files: number
  /** Days, months and files counted for the first time. */
  counted: number
  problems: readonly CheckProblem[]
}>

export async function recordCheck(db: Database, result: CheckResult): Promise<void> {
  if (result.coinIds !== undefined && result.coinIds.length !== 1) return
  const { coinIds, checkedAt, durationMs, series, liveRows, archivedRows, files, counted, problems } = result
  await db.execute(sql`
    insert into archive_checks (coin_id, checked_at, duration_ms, series, live_rows, archived_rows, files, counted, problems)
    values (${coinIds?.length === 1 ? coinIds[0] : null}, ${toIso(checkedAt)}::timestamp, ${durationMs}, ${series}, ${liveRows}, ${archivedRows},
      ${files}, ${counted}, ${JSON.stringify(problems)}::jsonb)`)
}

/** The last check of all coins. */
export async function readLastCheck(db: Database): Promise<CheckResult | undefined> {
  const [row] = await withFaults(
    db
      .select()
      .from(archiveChecks)
      .where(isNull(archiveChecks.coinId))
      .orderBy(desc(archiveChecks.checkedAt))
      .limit(1),
  )
  if (!row) return undefined
  const { id: _, coinId: __, ...rest } = row
  return { ...rest, coinIds: undefined }
}
