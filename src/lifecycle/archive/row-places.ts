import type { Instant } from '../../market/instant.ts'
import { plus, toInstant } from '../../market/instant.ts'
import { intersect, type Range, subtract } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { timeframeOf } from '../../store/lifecycle/archives/archived-coverage.ts'
import { type Archive, bySequence } from '../../store/lifecycle/archives.ts'
import type { Partition, PartitionIdentity, Partitions } from '../../store/lifecycle/list-partitions.ts'

/**
 * Where rows of a table are. A row is read from the table where it is there, otherwise from the file whose rows left the
 * table last, and nowhere else: this is the one definition of what there is, whoever asks.
 */
export type RowPlace = LivePlace | FilePlace

/** Rows of the table itself; of all time where there is no range. */
export type LivePlace = Readonly<{
  kind: 'live'
  timeframe: Timeframe | undefined
  range: Range | undefined
  /** Undefined where the rows are read through their table; else the partition that no query of the table sees. */
  partition: PartitionIdentity | undefined
}>

/** Rows of a file that are read from it: those in its ranges that none of the other places has. */
export type FilePlace = Readonly<{
  kind: 'file'
  archive: Archive
  timeframe: Timeframe | undefined
  range: Range
  /** What of its range was put back or archived anew. */
  except: readonly Range[]
  /** Places that may have the same row, and then count. */
  before: readonly RowPlace[]
}>

/** The places of the rows of partitioned tables: partitions and manifest are of one moment. */
export function placesOf(partitions: Partitions, archives: readonly Archive[]): RowPlace[] {
  const live = livePlaces(partitions)
  const files: FilePlace[] = []
  // The last one first: the earlier ones are read where it has nothing.
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

/** The places of rows that are archived one by one. What was put back into the table is read there. */
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

/** Whether its rows have left their table once. */
const isInFile = ({ state }: Archive): boolean => state === 'dropped' || state === 'restored'

const mayShare = (place: RowPlace, timeframe: Timeframe | undefined, range: Range): boolean =>
  place.timeframe === timeframe && (place.range === undefined || intersect(place.range, range) !== undefined)

/** Months of each table, so that a query of some time reads not much else; there may be thousands of partitions. */
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
