import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import { type Instant, plus } from '../../market/instant.ts'
import { subtract } from '../../market/range.ts'
import type { Settings } from '../../settings.ts'
import { copyField } from '../../store/candles/copy.ts'
import { restoreDigests } from '../../store/digests/candle-digests.ts'
import {
  type ArchiveColumn,
  type Content,
  differingColumns,
  ownTable,
  readShape,
  sameContent,
} from '../../store/lifecycle/archives/archive-content.ts'
import { regainCoverage, timeframeOf } from '../../store/lifecycle/archives/archived-coverage.ts'
import { inRowsTransaction } from '../../store/lifecycle/archives/archived-rows.ts'
import {
  fillSideTable,
  leaveOut,
  mergeStaged,
  type RestoredRows,
  stagedRows,
  stageRows,
} from '../../store/lifecycle/archives/restore-rows.ts'
import {
  type Archive,
  archiveEntry,
  archivesWithin,
  bySequence,
  findArchive,
  isTrusted,
  recordRestored,
} from '../../store/lifecycle/archives.ts'
import { listPartitions } from '../../store/lifecycle/list-partitions.ts'
import { leaveOutRows, recordMaintenance } from '../../store/maintenance-audit.ts'
import { ensurePartitions } from '../../store/partitions/create-partitions.ts'
import { type PartitionPlan, partitionedTables, partitionsOf } from '../../store/partitions.ts'
import { databaseOf, inTransaction, type Transaction } from '../../store/transaction.ts'
import { type ArchiveDeps, aloneWith } from './archive-partition.ts'
import { DamagedArchive } from './damaged-archive.ts'
import { formOf } from './parquet/column-form.ts'
import { readParquet } from './parquet/read-parquet.ts'
import { withStorageOf } from './storage.ts'
import { verifyFile } from './verify-archive.ts'

export type Restored = RestoredRows &
  Readonly<{
    table: string
    until: Instant | undefined
    /** Newer files of the same range, restored first. */
    also: readonly string[]
  }>

/**
 * Restores an archive and its coverage, all or nothing, after verifying the file. Existing rows stay, so it is
 * idempotent. Newer files of the same range are restored first, so that queries give the same answer. Retention skips
 * the rows for `archive.restoredFor`.
 */
export async function restoreArchive(deps: ArchiveDeps, archive: Archive): Promise<Restored> {
  refuseUnfinished(archive)
  if (archive.table === 'audit_logs') {
    throw new InvalidInput(
      `entries of the audit log are not put back into it: restore them beside it with ${commandLine`beacon archive restore ${archive.id} --into NAME`}`,
    )
  }
  const current = await findArchive(databaseOf(deps.pool), archive.id)
  const newer = archive.partition === undefined ? [] : await newerThan(deps, current)
  const also: string[] = []
  for (const { id } of newer) {
    await restoreOne(deps, archive, id)
    also.push(id)
  }
  return { ...(await restoreOne(deps, archive, archive.id)), also }
}

/** Newest first, recursively. */
async function newerThan({ pool }: ArchiveDeps, archive: Archive): Promise<Archive[]> {
  const db = databaseOf(pool)
  const found = new Map<string, Archive>()
  const search = async (older: Archive) => {
    for (const one of await archivesWithin(db, older.table, older.range)) {
      if (one.state !== 'dropped' || found.has(one.id) || bySequence(one, older) <= 0) continue
      found.set(one.id, one)
      await search(one)
    }
  }
  await search(archive)
  return [...found.values()].toSorted(bySequence).toReversed()
}

const restoreOne = (deps: ArchiveDeps, wanted: Archive, id: string): Promise<Omit<Restored, 'also'>> =>
  aloneWith(deps.pool, wanted, async () => putBack(deps, await findArchive(databaseOf(deps.pool), id)))

function putBack(deps: ArchiveDeps, archive: Archive): Promise<Omit<Restored, 'also'>> {
  const { pool, settings, clock, steps } = deps
  return withVerified(settings, archive, async (lines) => {
    await ensurePartitionsOf(deps, archive)
    await steps?.('partition-made')
    const { key } = await readShape(databaseOf(pool), ownTable(archive.table))
    const now = clock.now()
    const until = plus(now, settings.archive.restoredFor)
    const rows = await inArchiveTransaction(deps, archive, async (tx) => {
      refuseDifference(archive, await stageRows(tx, archive.columns, lines))
      const staged = await leaveOut(tx, archive.superseded)
      await steps?.('staged')
      await recordMaintenance(tx.db, archiveEntry('RESTORE', archive))
      if (archive.partition === undefined) await leaveOutRows(tx.db)
      const merged = await mergeStaged(tx, archive.table, archive.columns, key, staged)
      await steps?.('merged')
      const timeframe = timeframeOf(archive.table)
      if (timeframe !== undefined) {
        await regainCoverage(tx.db, timeframe, archive, now)
        const isExact = merged.restored === archive.written?.content.rows && archive.isCounted
        await restoreDigests(tx.db, timeframe, { ...archive, isExact, staged: stagedRows })
      }
      await recordRestored(tx.db, archive.id, now, until)
      await steps?.('recorded')
      return merged
    })
    await steps?.('restored')
    return { ...rows, table: archive.table, until }
  })
}

/** Returns the row count. */
export async function restoreBeside(
  { pool, settings }: ArchiveDeps,
  archive: Archive,
  name: string,
): Promise<number> {
  refuseUnfinished(archive)
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) {
    throw new InvalidInput(`--into ${name} is not the name of a table: write small letters, digits and "_"`)
  }
  return withVerified(settings, archive, (lines) =>
    inTransaction(
      pool,
      async (tx) => {
        const content = await fillSideTable(tx, name, archive.columns, lines)
        refuseDifference(archive, content)
        return content.rows
      },
      'maintenance',
    ),
  )
}

function refuseUnfinished(archive: Archive): void {
  if (isTrusted(archive)) return
  throw new InvalidInput(`archive ${archive.id} is not finished: its rows are in ${archive.table} still`)
}

/** Rows of a verified file as COPY text. */
const withVerified = <T>(
  settings: Settings,
  archive: Archive,
  work: (lines: AsyncIterable<string>) => Promise<T>,
): Promise<T> =>
  withStorageOf(settings, archive, (storage) =>
    storage.withFile(archive.fileName, async (path) => {
      await verifyFile(path, archive)
      return work(linesOf(path, archive.columns))
    }),
  )

const linesPerPiece = 1_000

export async function* linesOf(path: string, columns: readonly ArchiveColumn[]): AsyncGenerator<string> {
  const toSql = columns.map((column) => formOf(column).toSql ?? ((text: string) => text))
  for await (const { rows, columns: values } of readParquet(path, columns)) {
    let piece = ''
    for (let row = 0; row < rows; row += 1) {
      const fields = values.map((column, index) => {
        const text = column[row] ?? null
        return copyField(text === null ? null : toSql[index]?.(text))
      })
      piece += `${fields.join('\t')}\n`
      if ((row + 1) % linesPerPiece > 0 && row + 1 < rows) continue
      yield piece
      piece = ''
    }
  }
}

/** Restored content must equal the archived. */
function refuseDifference({ fileName, written }: Archive, arrived: Content): void {
  if (written && sameContent(written.content, arrived)) return
  const names = written ? differingColumns(written.content, arrived).join(', ') : ''
  throw new DamagedArchive(`${fileName} did not come back as it left (${names}): nothing was restored`)
}

/** Creates partitions of the current length around existing ones. */
async function ensurePartitionsOf({ pool, settings }: ArchiveDeps, archive: Archive): Promise<void> {
  if (archive.partition === undefined) return
  const table = partitionedTables(settings).find(({ name }) => name === archive.table)
  const existing = await listPartitions(pool, [archive.table])
  const missing = subtract(
    archive.range,
    existing.map(({ range }) => range),
  )
  // For tables no longer configured, the original partition.
  const plans: PartitionPlan[] = table
    ? missing.flatMap((range) => partitionsOf(table, range))
    : [{ name: archive.partition, range: archive.range }]
  if (missing.length === 0) return
  await ensurePartitions(
    pool,
    table ?? { name: archive.table, length: 'day' },
    plans,
    settings.database.lockTimeout,
  )
}

/** Row archives may belong to users, visible only to the maintenance role. */
const inArchiveTransaction = <T>(
  { pool }: ArchiveDeps,
  { table, partition }: Archive,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> =>
  partition === undefined ? inRowsTransaction(pool, table, work) : inTransaction(pool, work, 'maintenance')
