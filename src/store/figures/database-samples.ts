import { asc, desc, gte, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { type Counters, type DatabaseSample, databaseSamples } from '../../../drizzle/schema/monitoring.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { fromMs } from '../coverage/multirange.ts'
import { type Database, inTransaction, withFaults } from '../transaction.ts'
import type { DatabaseFigures } from './database-figures.ts'

/**
 * Writes a minute's sample unless another process has, with rates against the previous sample, and deletes those older
 * than `keptFrom`. Returns the stored sample.
 */
export async function writeSample(
  pool: Pool,
  sampledAt: Instant,
  figures: DatabaseFigures & Readonly<{ diskFreeBytes: number | undefined }>,
  keptFrom: Instant,
): Promise<DatabaseSample | undefined> {
  return inTransaction(pool, async ({ db }) => {
    // Samples in the future come from a clock that was ahead.
    await db.execute(sql`
      delete from database_samples where sampled_at > ${toIso(sampledAt)}::timestamp + interval '2 minutes'`)
    const [before] = await newest(db, 1)
    const rates =
      before && before.sampledAt < sampledAt ? ratesOf(before.counters, figures.counters) : noRates
    const { counters, diskFreeBytes, ...rest } = figures
    await db
      .insert(databaseSamples)
      .values({ ...rest, ...rates, sampledAt, counters, diskFreeBytes: diskFreeBytes ?? null })
      .onConflictDoNothing()
    await db.execute(sql`delete from database_samples where sampled_at < ${toIso(keptFrom)}::timestamp`)
    const [sample] = await newest(db, 1)
    return sample
  })
}

const newest = (db: Database, most: number): Promise<DatabaseSample[]> =>
  withFaults(db.select().from(databaseSamples).orderBy(desc(databaseSamples.sampledAt)).limit(most))

/** Undefined before the first sample. */
export const readNewestSample = async (db: Database): Promise<DatabaseSample | undefined> =>
  (await newest(db, 1))[0]

export const readSamples = (db: Database, since: Instant): Promise<DatabaseSample[]> =>
  withFaults(
    db
      .select()
      .from(databaseSamples)
      .where(gte(databaseSamples.sampledAt, since))
      .orderBy(asc(databaseSamples.sampledAt)),
  )

/** The oldest and newest sample since then, for a trend. */
export async function readEnds(db: Database, since: Instant): Promise<DatabaseSample[]> {
  const those = gte(databaseSamples.sampledAt, since)
  const all = db.select().from(databaseSamples).where(those)
  const [oldest] = await withFaults(all.orderBy(asc(databaseSamples.sampledAt)).limit(1))
  const [last] = await newest(db, 1)
  if (!oldest || !last || last.sampledAt <= oldest.sampledAt) return oldest ? [oldest] : []
  return [oldest, last]
}

/** Averages over a range; null where unknown. */
export type MeanSample = Readonly<
  Pick<
    DatabaseSample,
    | 'averageQueryMs'
    | 'cacheHitRatio'
    | 'indexScanRatio'
    | 'databaseBytes'
    | 'connectionsActive'
    | 'connectionsIdle'
    | 'connectionsWaiting'
  > & { from: Instant }
>

/** Averages per step since then, ascending; empty steps are left out. */
export async function readMeans(db: Database, since: Instant, stepMs: number): Promise<MeanSample[]> {
  const { rows } = await db.execute<
    { from_ms: string } & Record<Exclude<keyof MeanSample, 'from'>, number | null>
  >(sql`
    select extract(epoch from date_bin(${stepMs} * interval '1 millisecond', sampled_at, timestamp '1970-01-01')) * 1000 as from_ms,
      avg(average_query_ms)::float8 as "averageQueryMs", avg(cache_hit_ratio)::float8 as "cacheHitRatio",
      avg(index_scan_ratio)::float8 as "indexScanRatio", avg(database_bytes)::float8 as "databaseBytes",
      avg(connections_active)::float8 as "connectionsActive", avg(connections_idle)::float8 as "connectionsIdle",
      avg(connections_waiting)::float8 as "connectionsWaiting"
    from database_samples where sampled_at >= ${toIso(since)}::timestamp
    group by 1 order by 1`)
  return rows.map(({ from_ms, ...means }) => ({
    ...means,
    from: fromMs(from_ms),
    databaseBytes: Math.round(means.databaseBytes ?? 0),
    connectionsActive: means.connectionsActive ?? 0,
    connectionsIdle: means.connectionsIdle ?? 0,
    connectionsWaiting: means.connectionsWaiting ?? 0,
  }))
}

type Rates = Pick<DatabaseSample, 'averageQueryMs' | 'cacheHitRatio' | 'indexScanRatio'>

type Total = Exclude<keyof Counters, 'tables'>

const noRates: Rates = { averageQueryMs: null, cacheHitRatio: null, indexScanRatio: null }

/** Null rates if the statistics were reset in between. */
export function ratesOf(before: Counters, after: Counters): Rates {
  const grown = (name: Total) => after[name] - before[name]
  const names: Total[] = ['activeMs', 'transactions', 'blocksHit', 'blocksRead', 'indexScans', 'tableScans']
  if (names.some((name) => grown(name) < 0)) return noRates
  const share = (part: number, other: number) => (part + other === 0 ? null : part / (part + other))
  return {
    averageQueryMs: grown('transactions') === 0 ? null : grown('activeMs') / grown('transactions'),
    cacheHitRatio: share(grown('blocksHit'), grown('blocksRead')),
    indexScanRatio: share(grown('indexScans'), grown('tableScans')),
  }
}
