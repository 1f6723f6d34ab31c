import { and, desc, inArray, or, sql } from 'drizzle-orm'
import { ingestRuns } from '../../../drizzle/schema/ingest.ts'
import type { Series } from '../coverage.ts'
import { type Run, toRun } from '../runs.ts'
import { type Database, withFaults } from '../transaction.ts'
import { jobsOfCloses, jobsOfRanges } from './provenance.ts'

/** The newest runs that requested candles of the series, newest first: of its own, or of all markets of its source. */
export async function listRunsOfSeries(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
  source: string | undefined,
  most: number,
): Promise<Run[]> {
  const own = and(
    inArray(ingestRuns.job, jobsOfRanges),
    sql`${ingestRuns.payload} @> ${JSON.stringify({ coinId, timeframe })}::jsonb`,
  )
  const live = and(
    inArray(ingestRuns.job, jobsOfCloses),
    sql`${ingestRuns.payload} @> ${JSON.stringify({ source, timeframe })}::jsonb`,
  )
  const newest = db
    .select()
    .from(ingestRuns)
    .where(source === undefined ? own : or(own, live))
    .orderBy(desc(ingestRuns.startedAt))
    .limit(most)
  return (await withFaults(newest)).map(toRun)
}
