import { sql } from 'drizzle-orm'
import { type Instant, plus, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import { fromMs } from '../coverage/multirange.ts'
import type { Series } from '../coverage.ts'
import type { Database } from '../transaction.ts'

export const askedByCommand = [
  'retry-quarantine',
  'accept-quarantine',
  'repair-differences',
  'import',
] as const
export type AskedByCommand = (typeof askedByCommand)[number]

/** Jobs whose payload tells which candles of which coin they asked for. */
export const jobsOfRanges = ['backfill-candles', ...askedByCommand]
/** Jobs that ask for the newest candles of every market of a source. */
export const jobsOfCloses = ['ingest-candles']

export type RunBehind = Readonly<{
  id: string
  job: string
  source: string
  status: string
  startedAt: Instant
  finishedAt: Instant | undefined
  /** The imported file. */
  file?: Readonly<{ name: string; sha256: string }>
}>

/**
 * Runs that may have loaded candles of the range, ascending, at most `most`, and their total: overlapping range jobs,
 * live runs around their close (plus `recheck` candles, up to the first success one answer later), and repairs. Failed
 * runs may have loaded a part.
 */
export async function readRunsBehind(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
  sources: readonly string[],
  range: Range,
  { recheck, perAnswer, most }: Readonly<{ recheck: number; perAnswer: number; most: number }>,
): Promise<{ runs: RunBehind[]; total: number }> {
  const [from, to] = [toIso(range.from), toIso(range.to)]
  const candlesLater = (count: number) => toIso(plus(range.to, count * timeframeMs[timeframe]))
  const seenTo = candlesLater(recheck + 1)
  const isLive = sql`
    job in ${jobsOfCloses} and payload @> ${JSON.stringify({ timeframe })}::jsonb
    and payload ->> 'source' in (select jsonb_array_elements_text(${JSON.stringify(sources)}::jsonb))`
  const { rows } = await db.execute<{
    id: string
    job: string
    source: string | null
    status: string
    started_ms: string
    finished_ms: string | null
    file: string | null
    sha256: string | null
    total: number
  }>(sql`
    with behind as (
      select * from ingest_runs
      where job in ${jobsOfRanges} and payload @> ${JSON.stringify({ coinId, timeframe })}::jsonb
        and payload ->> 'from' < ${to} and payload ->> 'to' > ${from}
      union
      select * from ingest_runs
      where ${isLive} and started_at >= ${from}::timestamp and started_at < ${seenTo}::timestamp
      union
      select * from ingest_runs
      where id in (
        select run_id from candle_revisions
        where coin_id = ${coinId} and timeframe = ${timeframe}
          and timestamp >= ${from}::timestamp and timestamp < ${to}::timestamp
      )
      union
      select * from ingest_runs
      where ${isLive} and started_at >= ${seenTo}::timestamp and started_at < ${candlesLater(perAnswer)}::timestamp
        and (status in ('done', 'partial') or (outcome ->> 'new')::integer > 0)
        and started_at <= coalesce(
          (select min(started_at) from ingest_runs where ${isLive} and started_at >= ${seenTo}::timestamp and status in ('done', 'partial')),
          'infinity'
        )
    )
    select id, job, payload ->> 'source' as source, status, payload ->> 'file' as file, payload ->> 'sha256' as sha256, extract(epoch from started_at) * 1000 as started_ms,
      extract(epoch from finished_at) * 1000 as finished_ms, count(*) over ()::integer as total
    from behind order by started_at, id limit ${most}`)
  return {
    total: rows[0]?.total ?? 0,
    runs: rows.map(({ id, job, source, status, started_ms, finished_ms, file, sha256 }) => ({
      id,
      job,
      source: source ?? '',
      status,
      startedAt: fromMs(started_ms),
      finishedAt: finished_ms === null ? undefined : fromMs(finished_ms),
      ...(file === null || sha256 === null ? {} : { file: { name: file, sha256 } }),
    })),
  }
}
