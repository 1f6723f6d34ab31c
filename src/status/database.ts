import type { Pool } from 'pg'
import { day, type Instant, minute, plus, second, toIso } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Settings } from '../settings.ts'
import { readHiddenFigures } from '../store/connection/monitoring-rights.ts'
import { readIndexUsage, readSlowStatements } from '../store/figures/database-figures.ts'
import { readEnds, readMeans, readNewestSample } from '../store/figures/database-samples.ts'
import { untilFullMs } from '../store/partitions/until-full.ts'
import { databaseOf } from '../store/transaction.ts'

type Deps = Readonly<{ settings: Settings; pool: Pool; clock: Clock }>

/** Points per line. */
const mostPoints = 144

const mostIndexes = 20
const mostStatements = 10

/** Current and last day's figures, with alert limits. */
export async function readDatabaseStatus({ settings, pool, clock }: Deps) {
  const db = databaseOf(pool)
  const now = clock.now()
  const { monitoring } = settings
  const [newest, ofDay, kept, indexes, slowStatements, hidden] = [
    await readNewestSample(db),
    await readEnds(db, plus(now, -day)),
    await readEnds(db, plus(now, -monitoring.keep)),
    await readIndexUsage(db, mostIndexes),
    await readSlowStatements(db, mostStatements),
    await readHiddenFigures(db),
  ]
  const stepMs = stepOf(ofDay[0]?.sampledAt ?? now, now)
  const means = await readMeans(db, plus(now, -day), stepMs)
  const leftMs = untilFullMs(kept)
  return {
    newest: newest ? describeSample(newest) : null,
    stepSeconds: stepMs / second,
    samples: means.map(({ from, ...mean }) => ({ from: toIso(from), ...mean })),
    /** Null if the disk is not visible or not filling. */
    daysUntilFull: leftMs === undefined ? null : Math.round((10 * leftMs) / day) / 10,
    limits: {
      averageQueryMs: monitoring.averageQuery,
      cacheHitRatio: monitoring.cacheHitRatio,
      connectionsUsed: monitoring.connectionsUsed,
      daysUntilFull: monitoring.fullWithin / day,
      unusedIndexBytes: monitoring.unusedIndexBytes,
      scannedRows: monitoring.scannedRows,
    },
    indexes: {
      ...indexes,
      countedFrom: indexes.countedFrom === undefined ? null : toIso(indexes.countedFrom),
    },
    /** Null without pg_stat_statements. */
    slowStatements: slowStatements ?? null,
    /** Missing monitoring rights with the grant; null if none. */
    hidden: hidden ?? null,
  }
}

export type DatabaseStatus = Awaited<ReturnType<typeof readDatabaseStatus>>

type Sample = NonNullable<Awaited<ReturnType<typeof readNewestSample>>>

const describeSample = ({ counters: _, sampledAt, ...sample }: Sample) => ({
  sampledAt: toIso(sampledAt),
  ...sample,
})

/** Multiples of a sample's minute. */
const stepOf = (from: Instant, now: Instant): number =>
  Math.max(minute, Math.ceil((now - from) / mostPoints / minute) * minute)
