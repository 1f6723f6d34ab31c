import { stat } from 'node:fs/promises'
import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Fault } from '../../fault.ts'
import { type Instant, plus, toInstant } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { timeframeMs } from '../../market/timeframe.ts'
import { type Adopted, adoptArchive } from '../../store/lifecycle/archives/adopt.ts'
import { type ArchiveColumn, sameContent } from '../../store/lifecycle/archives/archive-content.ts'
import { timeframeOf } from '../../store/lifecycle/archives/archived-coverage.ts'
import { stagedRows, stageRows } from '../../store/lifecycle/archives/restore-rows.ts'
import { listArchives } from '../../store/lifecycle/archives.ts'
import { keepDays, summarisedTables } from '../../store/lifecycle/summary-days.ts'
import { databaseOf, inTransaction } from '../../store/transaction.ts'
import type { ArchiveDeps } from './archive-partition.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { DamagedArchive } from './damaged-archive.ts'
import { contentOfFile, readFooter, timesOfFile } from './parquet/read-parquet.ts'
import { linesOf } from './restore-archive.ts'
import { readFacts } from './storage/file-facts.ts'
import { verifySeal } from './storage/file-seal.ts'
import { withStorage } from './storage.ts'
import { sha256Of } from './verify-archive.ts'

/** The result for one file. */
export type Adoption = Readonly<
  { fileName: string } & (
    | { outcome: 'adopted'; id: string; table: string; range: Range; rows: number; bytes: number }
    | { outcome: 'known' }
    | { outcome: 'refused'; reason: string }
  )
>

/**
 * Rebuilds the manifest from the storage's files, each verified completely. Known files are skipped, and an unusable
 * file does not stop the others. With `dryRun` nothing is written.
 */
export const adoptArchives = (
  { pool, settings, clock }: ArchiveDeps,
  dryRun: boolean,
): Promise<readonly Adoption[]> =>
  withStorage(settings, async (storage) => {
    const manifest = await listArchives(databaseOf(pool))
    const knownFiles = new Set(manifest.map(({ fileName }) => fileName))
    const knownIds = new Map(manifest.map(({ id, fileName }) => [id, fileName]))
    const found: Adopted[] = []
    const outcomes: Adoption[] = []
    for (const fileName of await storage.list()) {
      if (knownFiles.has(fileName)) {
        outcomes.push({ fileName, outcome: 'known' })
        continue
      }
      try {
        const adopted = await examine(storage, fileName, knownIds)
        knownIds.set(adopted.id, fileName)
        found.push(adopted)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        outcomes.push({ fileName, outcome: 'refused', reason: error.message })
      }
    }
    // Of two files with the same row the later is read.
    const inOrder = found.toSorted((a, b) => a.createdAt - b.createdAt)
    if (!dryRun) {
      await inTransaction(pool, async ({ db }) => {
        for (const one of inOrder) await adoptArchive(db, one, clock.now())
      })
      for (const one of inOrder) await keepItsDays(pool, storage, one, clock.now())
    }
    return [...outcomes, ...inOrder.map(adoptionOf)].toSorted((a, b) => (a.fileName < b.fileName ? -1 : 1))
  })

/** Adds its days to the summary, for existing coins. */
async function keepItsDays(
  pool: Pool,
  storage: ArchiveStorage,
  adopted: Adopted,
  now: Instant,
): Promise<void> {
  const { table, fileName, columns } = adopted
  const timeframe = summarisedTables.get(table)
  if (timeframe === undefined) return
  await storage.withFile(fileName, (path) =>
    inTransaction(
      pool,
      async (tx) => {
        await stageRows(tx, columns, linesOf(path, columns))
        const known = sql`(select * from ${stagedRows} where coin_id in (select id from coins)) as staged`
        await keepDays(tx.db, known, timeframe, now)
      },
      'maintenance',
    ),
  )
}

const adoptionOf = ({ id, fileName, table, range, written }: Adopted): Adoption => ({
  fileName,
  outcome: 'adopted',
  id,
  table,
  range,
  rows: written.content.rows,
  bytes: written.bytes,
})

function examine(
  storage: ArchiveStorage,
  fileName: string,
  knownIds: ReadonlyMap<string, string>,
): Promise<Adopted> {
  return storage.withFile(fileName, async (path) => {
    const footer = await readFooter(path)
    const facts = readFacts(footer.facts)
    if (!facts) throw new DamagedArchive('it does not say which rows it holds: it is no file of this archive')
    const known = knownIds.get(facts.id)
    if (known !== undefined)
      throw new DamagedArchive(`it is a copy of ${known}, and its rows would count twice`)
    // Files of earlier versions have neither.
    if (facts.range !== undefined || facts.seal !== undefined) await verifySeal(path, facts.seal)
    const columns = facts.columns ?? footer.columns
    const content = await contentOfFile(path, columns)
    if (facts.content && !sameContent(facts.content, content))
      throw new DamagedArchive('it does not hold the rows that it says it holds: put back a copy of it')
    const { size, mtimeMs } = await stat(path)
    return {
      ...facts,
      fileName,
      place: storage.place,
      columns,
      range: facts.range ?? (await rangeOf(path, facts.table, columns)),
      createdAt: facts.createdAt ?? toInstant(Math.floor(mtimeMs)),
      written: { content, bytes: size, sha256: await sha256Of(path) },
    }
  })
}

/** For files without a range: from the first to the last row. */
async function rangeOf(path: string, table: string, columns: readonly ArchiveColumn[]): Promise<Range> {
  const timeframe = timeframeOf(table)
  const times = await timesOfFile(path, columns)
  if (!times) throw new DamagedArchive('it holds no row, and does not say of what time')
  return { from: times.first, to: plus(times.last, timeframe === undefined ? 1 : timeframeMs[timeframe]) }
}
