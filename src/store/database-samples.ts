import { asc, desc, gte, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { type Counters, type DatabaseSample, databaseSamples } from '../../drizzle/schema/monitoring.ts'
import { type Instant, toIso } from '../market/instant.ts'
import type { DatabaseFigures } from './database-figures.ts'
import { type Database, inTransaction, withFaults } from './transaction.ts'

/**
 * Writes the sample of a minute, unless another process has: whoever is first. What is per minute is worked out from the
 * sample before it. Samples older than `keptFrom` go. Returns the minute's sample.
 */
export async function writeSample(
  pool: Pool,
  sampledAt: Instant,
  figures: DatabaseFigures & Readonly<{ diskFreeBytes: number | undefined }>,
  keptFrom: Instant,
): Promise<DatabaseSample | undefined> {
  return inTransaction(pool, async ({ db }) => {
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

/** The newest sample; undefined where none was taken yet. */
export const readNewestSample = async (db: Database): Promise<DatabaseSample | undefined> =>
  (await newest(db, 1))[0]

/** The samples since then, ascending. */
export const readSamples = (db: Database, since: Instant): Promise<DatabaseSample[]> =>
  withFaults(
    db
      .select()
      .from(databaseSamples)
      .where(gte(databaseSamples.sampledAt, since))
      .orderBy(asc(databaseSamples.sampledAt)),
  )

type Rates = Pick<DatabaseSample, 'averageQueryMs' | 'cacheHitRatio' | 'indexScanRatio'>

const noRates: Rates = { averageQueryMs: null, cacheHitRatio: null, indexScanRatio: null }

/** Between two readings of the server's totals. Where they were reset in between, nothing can be said. */
export function ratesOf(before: Counters, after: Counters): Rates {
  const grown = (name: keyof Counters) => after[name] - before[name]
  const names: (keyof Counters)[] = [
    'activeMs',
    'transactions',
    'blocksHit',
    'blocksRead',
    'indexScans',
    'tableScans',
  ]
  if (names.some((name) => grown(name) < 0)) return noRates
  const share = (part: number, other: number) => (part + other === 0 ? null : part / (part + other))
  return {
    averageQueryMs: grown('transactions') === 0 ? null : grown('activeMs') / grown('transactions'),
    cacheHitRatio: share(grown('blocksHit'), grown('blocksRead')),
    indexScanRatio: share(grown('indexScans'), grown('tableScans')),
  }
}
