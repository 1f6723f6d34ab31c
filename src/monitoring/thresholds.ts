import type { DatabaseSample } from '../../drizzle/schema/monitoring.ts'
import { day, later, minute } from '../market/instant.ts'
import { durationText } from '../settings/duration.ts'
import type { Settings } from '../settings.ts'
import type { IndexUsage } from '../store/figures/database-figures.ts'
import type { Concern } from '../store/incidents.ts'
import { untilFullMs } from '../store/partitions/until-full.ts'

type Limits = Settings['monitoring']

/** Values beyond limits. `recent`: last 15 minutes; `kept`: all; ascending. Pure. */
export function databaseConcerns(
  recent: readonly DatabaseSample[],
  kept: readonly DatabaseSample[],
  limits: Limits,
): Concern[] {
  const newest = recent.at(-1)
  if (!newest) return []
  return [
    ...slowQueries(recent, limits),
    ...shortMemory(recent, limits),
    ...manyConnections(newest, limits),
    ...filling(kept, limits),
  ]
}

/** Undefined if nothing was measured. */
function mean(values: readonly (number | null)[]): number | undefined {
  const measured = values.filter((value) => value !== null)
  return measured.length === 0 ? undefined : measured.reduce((sum, value) => sum + value, 0) / measured.length
}

function slowQueries(recent: readonly DatabaseSample[], { averageQuery }: Limits): Concern[] {
  const ms = mean(recent.map(({ averageQueryMs }) => averageQueryMs))
  if (ms === undefined || ms <= averageQuery) return []
  const message = `A transaction takes ${Math.round(ms)} ms on the average: \`beacon doctor\` names the slowest statements.`
  return [{ key: 'database.slow', message }]
}

function shortMemory(recent: readonly DatabaseSample[], { cacheHitRatio }: Limits): Concern[] {
  const ratio = mean(recent.map((sample) => sample.cacheHitRatio))
  if (ratio === undefined || ratio >= cacheHitRatio) return []
  const message = `Only ${percent(ratio)} of what the database reads is found in its memory: raise its shared_buffers.`
  return [{ key: 'database.cache', message }]
}

function manyConnections(newest: DatabaseSample, { connectionsUsed }: Limits): Concern[] {
  const used = newest.connectionsActive + newest.connectionsIdle
  if (used <= connectionsUsed * newest.connectionsMax) return []
  const message = `${used} of the database's ${newest.connectionsMax} connections are in use: raise its max_connections, or lower database.maxConnections.`
  return [{ key: 'database.connections', message }]
}

function filling(kept: readonly DatabaseSample[], { fullWithin }: Limits): Concern[] {
  const leftMs = untilFullMs(kept)
  if (leftMs === undefined || leftMs > fullWithin) return []
  const days = Math.floor(leftMs / day)
  const when = days === 0 ? 'within a day' : `in about ${durationText(days * day)}`
  return [
    {
      key: 'disk.filling',
      message: `The database's disk will be full ${when} at the pace of the last days: make room, or shorten what is kept.`,
    },
  ]
}

/** Samples as [oldest, newest]. */
type IndexFacts = Readonly<{
  usage: Pick<IndexUsage, 'unused' | 'countedFrom'>
  kept: readonly DatabaseSample[]
  ofDay: readonly DatabaseSample[]
}>

/** Unused indexes, and tables that seem to lack one. */
export const indexConcerns = (facts: IndexFacts, limits: Limits): Concern[] => [
  ...unusedIndexes(facts, limits),
  ...scannedTables(facts, limits),
]

/** Minimum observation. */
const watchedMs = day - minute

function unusedIndexes({ usage, kept }: IndexFacts, { unusedIndexBytes }: Limits): Concern[] {
  const [oldest, newest] = kept
  if (!oldest || !newest) return []
  const watchedFrom = later(oldest.sampledAt, usage.countedFrom ?? oldest.sampledAt)
  if (newest.sampledAt - watchedFrom < watchedMs) return []
  return usage.unused
    .filter(({ bytes }) => bytes >= unusedIndexBytes)
    .map(({ table, index, bytes }) => ({
      key: `database.unused-index ${index}`,
      message: `Nothing has used the index ${index} of ${table} for a day or longer, and it takes ${megabytes(bytes)}: drop it, or raise monitoring.unusedIndexBytes.`,
    }))
}

/** Fewer are maintenance. */
const fewestScans = 100

function scannedTables({ ofDay: [first, last] }: IndexFacts, { scannedRows }: Limits): Concern[] {
  if (!first || !last || last.sampledAt - first.sampledAt < watchedMs) return []
  return Object.entries(last.counters.tables ?? {}).flatMap(([table, after]) => {
    const before = first.counters.tables?.[table]
    if (!before) return []
    // Partitions were dropped or counters reset.
    const [tableScans, indexScans, rowsRead] = [0, 1, 2].map(
      (place) => (after[place] ?? 0) - (before[place] ?? 0),
    )
    if (tableScans === undefined || indexScans === undefined || rowsRead === undefined) return []
    if (indexScans < 0 || tableScans < fewestScans || tableScans <= indexScans) return []
    const rowsEach = Math.round(rowsRead / tableScans)
    if (rowsEach < scannedRows) return []
    const often = `${tableScans.toLocaleString('en')} times in a day, ${rowsEach.toLocaleString('en')} rows each time`
    return [
      {
        key: `database.missing-index ${table}`,
        message: `${table} was read from end to end ${often}, and less often through an index: \`beacon doctor\` names the statements that one may be missing for.`,
      },
    ]
  })
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6).toLocaleString('en')} MB`

const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`

/** Window of averages. */
export const recentMs = 15 * minute
