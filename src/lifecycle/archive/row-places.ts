import type { Instant } from '../../market/instant.ts'
import { plus, toInstant } from '../../market/instant.ts'
import { intersect, type Range, subtract } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { timeframeOf } from '../../store/lifecycle/archives/archived-coverage.ts'
import { type Archive, bySequence } from '../../store/lifecycle/archives.ts'
import type { Partition, PartitionIdentity, Partitions } from '../../store/lifecycle/list-partitions.ts'

/**
 * A row is read from the table if there, else from the file it left for last. The only definition of where rows are.
 */
export type RowPlace = LivePlace | FilePlace

/** Without a range: all time. */
export type LivePlace = Readonly<{
  kind: 'live'
  timeframe: Timeframe | undefined
  range: Range | undefined
  /** A partition that queries of the table do not see; else undefined. */
  partition: PartitionIdentity | undefined
}>

export type FilePlace = Readonly<{
  kind: 'file'
  archive: Archive
  timeframe: Timeframe | undefined
  range: Range
  /** Restored or superseded ranges. */
  except: readonly Range[]
  /** Places that win for a row in both. */
  before: readonly RowPlace[]
}>

/** Places of partitioned tables; both arguments from one snapshot. */
export function placesOf(partitions: Partitions, archives: readonly Archive[]): RowPlace[] {
  const live = livePlaces(partitions)
  const files: FilePlace[] = []
  // Last first: earlier files supply what later ones lack.
  for (const archive of archives.filter(isInFile).toSorted(bySequence).toReversed()) {
    const { range } = archive
    const except = [...archive.restored, ...archive.superseded]
    if (subtract(range, except).length === 0) continue
    const timeframe = timeframeOf(archive.table)
    const before = [...live, ...files].filter((place) => mayShare(place, timeframe, range))
    files.push({ kind: 'file', archive, timeframe, range, except, before })
  }
  return [...live, ...files]
}

/** Places of row archives; restored rows are read from the table. */
export function rowPlacesOf(archives: readonly Archive[]): RowPlace[] {
  const live: LivePlace = { kind: 'live', timeframe: undefined, range: undefined, partition: undefined }
  const files: FilePlace[] = []
  for (const archive of archives.filter(isInFile).toSorted(bySequence).toReversed()) {
    const { range } = archive
    const before = [live, ...files].filter((place) => mayShare(place, undefined, range))
    files.push({ kind: 'file', archive, timeframe: undefined, range, except: [], before })
  }
  return [live, ...files]
}

/** Whether its rows left the table. */
const isInFile = ({ state }: Archive): boolean => state === 'dropped' || state === 'restored'

const mayShare = (place: RowPlace, timeframe: Timeframe | undefined, range: Range): boolean =>
  place.timeframe === timeframe && (place.range === undefined || intersect(place.range, range) !== undefined)

/** By month, since there may be thousands of partitions. */
function livePlaces({ bounded, unbounded }: Partitions): LivePlace[] {
  const tables = [...new Set([...bounded, ...unbounded].map(({ table }) => table))]
  return tables.flatMap((table): LivePlace[] => {
    const timeframe = timeframeOf(table)
    const own = bounded.filter((one) => one.table === table)
    const hidden = own.filter(({ isDetachPending }) => isDetachPending)
    const seen = own.filter(({ isDetachPending }) => !isDetachPending)
    const whole = unbounded.some((one) => one.table === table)
    const ranges: readonly (Range | undefined)[] = whole ? [undefined] : monthsOf(seen)
    return [
      ...ranges.map((range) => ({ kind: 'live' as const, timeframe, range, partition: undefined })),
      ...hidden.map((partition) => ({
        kind: 'live' as const,
        timeframe,
        range: partition.range,
        partition,
      })),
    ]
  })
}

function monthsOf(partitions: readonly Partition[]): Range[] {
  const months = new Map<Instant, Range>()
  for (const { range } of partitions) {
    for (let at = monthStart(range.from, 0); at < range.to; at = monthStart(at, 1)) {
      const part = intersect({ from: at, to: monthStart(at, 1) }, range)
      if (!part) continue
      const known = months.get(at) ?? part
      months.set(at, {
        from: known.from < part.from ? known.from : part.from,
        to: known.to > part.to ? known.to : part.to,
      })
    }
  }
  return [...months.values()].toSorted((a, b) => a.from - b.from)
}

const monthStart = (instant: Instant, later: number): Instant => {
  const date = new Date(plus(instant, 0))
  return toInstant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later, 1))
}
