import type { DatabaseSample } from '../../drizzle/schema/monitoring.ts'
import { day, type Instant } from '../market/instant.ts'
import { durationText } from '../settings/duration.ts'
import type { Settings } from '../settings.ts'
import type { Concern } from '../store/incidents.ts'

type Limits = Settings['monitoring']

/** A trend is believed once the samples span so long. */
const trendMs = day

/**
 * What of the database is beyond its limits. `recent` are the samples of the last quarter of an hour and `kept` all there
 * are, both ascending. Pure, so that it can be read and tested by itself.
 */
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

/** The mean of what was measured; undefined where nothing was. */
function mean(values: readonly (number | null)[]): number | undefined {
  const measured = values.filter((value) => value !== null)
  return measured.length === 0 ? undefined : measured.reduce((sum, value) => sum + value, 0) / measured.length
}

function slowQueries(recent: readonly DatabaseSample[], { averageQuery }: Limits): Concern[] {
  const ms = mean(recent.map(({ averageQueryMs }) => averageQueryMs))
  if (ms === undefined || ms <= averageQuery) return []
  const sentence = `A transaction takes ${Math.round(ms)} ms on the average: \`beacon doctor\` names the slowest statements.`
  return [{ key: 'database.slow', sentence }]
}

function shortMemory(recent: readonly DatabaseSample[], { cacheHitRatio }: Limits): Concern[] {
  const ratio = mean(recent.map((sample) => sample.cacheHitRatio))
  if (ratio === undefined || ratio >= cacheHitRatio) return []
  const sentence = `Only ${percent(ratio)} of what the database reads is found in its memory: raise its shared_buffers.`
  return [{ key: 'database.cache', sentence }]
}

function manyConnections(newest: DatabaseSample, { connectionsUsed }: Limits): Concern[] {
  const used = newest.connectionsActive + newest.connectionsIdle
  if (used <= connectionsUsed * newest.connectionsMax) return []
  const sentence = `${used} of the database's ${newest.connectionsMax} connections are in use: raise its max_connections, or lower database.maxConnections.`
  return [{ key: 'database.connections', sentence }]
}

function filling(kept: readonly DatabaseSample[], { fullWithin }: Limits): Concern[] {
  const leftMs = untilFullMs(kept)
  if (leftMs === undefined || leftMs > fullWithin) return []
  const days = Math.floor(leftMs / day)
  const when = days === 0 ? 'within a day' : `in about ${durationText(days * day)}`
  return [
    {
      key: 'disk.filling',
      sentence: `The database's disk will be full ${when} at the pace of the last days: make room, or shorten what is kept.`,
    },
  ]
}

/**
 * How long the disk lasts at the pace at which the database has grown over the samples; undefined where its disk cannot
 * be seen, it does not grow, or the samples span less than a day.
 */
export function untilFullMs(kept: readonly DatabaseSample[]): number | undefined {
  const [first, last] = [kept[0], kept.at(-1)]
  if (!first || !last || last.diskFreeBytes === null) return undefined
  const spanMs = last.sampledAt - first.sampledAt
  const grownBytes = last.databaseBytes - first.databaseBytes
  if (spanMs < trendMs || grownBytes <= 0) return undefined
  return (last.diskFreeBytes / grownBytes) * spanMs
}

/** Our clock against the database's, which was read between the two instants of ours. */
export function clockConcerns(skewMs: number, { clockSkew }: Limits): Concern[] {
  if (Math.abs(skewMs) <= clockSkew) return []
  const seconds = Math.round(Math.abs(skewMs) / 1_000)
  const sentence = `This machine's clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} the database's: set both by NTP.`
  return [{ key: 'clock.skew', sentence }]
}

const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`

/** When the samples begin that a quarter of an hour is judged by. */
export const recentMs = 15 * 60_000

export const since = (now: Instant, samples: readonly DatabaseSample[], ms: number): DatabaseSample[] =>
  samples.filter(({ sampledAt }) => sampledAt > now - ms)
