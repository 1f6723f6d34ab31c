import { sql } from 'drizzle-orm'
import type { Instant } from '../market/instant.ts'
import { fromMs } from './multirange.ts'
import type { Database } from './transaction.ts'

/** The last run of a job that ended well. */
export type LastSuccess = Readonly<{ job: string; endedAt: Instant; tookMs: number }>

/** When each of these jobs last ended well, and how long it took; one that never did is left out. */
export async function readLastSuccesses(db: Database, jobs: readonly string[]): Promise<LastSuccess[]> {
  const { rows } = await db.execute<{ job: string; ended_ms: string; took_ms: string }>(sql`
    select wanted.name as job,
      extract(epoch from last.finished_at) * 1000 as ended_ms,
      extract(epoch from last.finished_at - last.started_at) * 1000 as took_ms
    from jsonb_array_elements_text(${JSON.stringify(jobs)}::jsonb) as wanted (name), lateral (
      select started_at, finished_at from ingest_runs
      where job = wanted.name and status = 'done' order by started_at desc limit 1
    ) as last`)
  return rows.map(({ job, ended_ms, took_ms }) => ({
    job,
    endedAt: fromMs(ended_ms),
    tookMs: Number(took_ms),
  }))
}
