import { Command } from 'commander'
import { Aborted, Fault, InvalidInput } from '../fault.ts'
import { type Adoption, adoptArchives } from '../lifecycle/archive/adopt-archives.ts'
import { checkArchive } from '../lifecycle/archive/check-archive.ts'
import { DamagedArchive } from '../lifecycle/archive/damaged-archive.ts'
import { queryArchive } from '../lifecycle/archive/query-archive.ts'
import { type Restored, restoreArchive, restoreBeside } from '../lifecycle/archive/restore-archive.ts'
import { verifyArchive } from '../lifecycle/archive/verify-archive.ts'
import { type Instant, toIso, toMinuteText } from '../market/instant.ts'
import { durationText } from '../settings/duration.ts'
import { type CheckResult, recordCheck } from '../store/digests/archive-checks.ts'
import { listCoinIds } from '../store/digests/candle-digests.ts'
import {
  type Archive,
  findArchive,
  isTrusted,
  listArchives,
  recordReadBack,
} from '../store/lifecycle/archives.ts'
import { type DatabaseSession, withDatabase } from './session.ts'
import { withCountingBar } from './terminal/counting-bar.ts'
import { answer, bytesText, countText, say } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type JsonOption = Readonly<{ json?: boolean }>

export const archiveCommand = (): Command =>
  new Command('archive')
    .addCommand(listCommand())
    .addCommand(verifyCommand())
    .addCommand(restoreCommand())
    .addCommand(queryCommand())
    .addCommand(adoptCommand())
    .addCommand(checkCommand())

const listCommand = (): Command =>
  new Command('list')
    .description('List archive files with their content and state.')
    .option('--json', 'print JSON')
    .action(({ json }: JsonOption) =>
      withDatabase(async ({ db }) => {
        const archives = await listArchives(db)
        answer(json, { archives: archives.map(asJson) }, () =>
          archives.length === 0 ? 'Nothing has been archived yet.' : archiveTable(archives),
        )
      }),
    )

const iso = (instant: Instant | undefined): string | undefined => instant && toIso(instant)

const asJson = ({ range, written, coverage: _, ...archive }: Archive) => ({
  ...archive,
  from: toIso(range.from),
  to: toIso(range.to),
  rows: written?.content.rows,
  bytes: written?.bytes,
  sha256: written?.sha256,
  checksums: written?.content.checksums,
  createdAt: toIso(archive.createdAt),
  verifiedAt: iso(archive.verifiedAt),
  droppedAt: iso(archive.droppedAt),
  restoredAt: iso(archive.restoredAt),
  restoredUntil: iso(archive.restoredUntil),
})

const archiveTable = (archives: readonly Archive[]): string =>
  table(archives, [
    { title: 'id', of: ({ id }) => id.slice(0, 8) },
    { title: 'what', of: (archive) => archive.partition ?? archive.table },
    { title: 'from', of: ({ range }) => toMinuteText(range.from) },
    { title: 'to', of: ({ range }) => toMinuteText(range.to) },
    {
      title: 'rows',
      of: ({ written }) => (written ? countText(written.content.rows) : ''),
      align: 'right',
      leaveOut: 2,
    },
    {
      title: 'size',
      of: ({ written }) => (written ? bytesText(written.bytes) : ''),
      align: 'right',
      leaveOut: 1,
    },
    { title: 'state', of: ({ state }) => state },
    { title: 'file', of: ({ place, fileName }) => `${place.replace(/\?.*$/, '')}${fileName}`, wraps: true },
  ])

type Decision = Readonly<{ id: string; file: string; sound: boolean; problem?: string }>

const verifyCommand = (): Command =>
  new Command('verify')
    .description('Read archive files back and compare checksums.')
    .argument('[id]', 'give the id of an archive, or its beginning; default: all')
    .option('--json', 'print JSON')
    .action((id: string | undefined, { json }: JsonOption) =>
      withDatabase(async (session) => {
        const { db } = session
        const archives =
          id === undefined ? (await listArchives(db)).filter(isTrusted) : [await findArchive(db, id)]
        const decisions: Decision[] = []
        for (const archive of archives) {
          if (session.signal.aborted) throw new Aborted('stopped before every file was read: run it again')
          decisions.push(await decisionOf(session, archive))
        }
        answer(json, { archives: decisions }, () => `${countText(decisions.length)} read back.`)
        const damaged = decisions.flatMap(({ problem }) => problem ?? [])
        if (damaged.length > 0) throw new DamagedArchive(damaged.join('\n'))
      }),
    )

async function decisionOf({ settings, db, clock }: DatabaseSession, archive: Archive): Promise<Decision> {
  const { id, fileName: file } = archive
  try {
    await verifyArchive(settings, archive)
    await recordReadBack(db, id, clock.now())
    say(`${file} is sound`)
    return { id, file, sound: true }
  } catch (error) {
    // An unreachable file does not stop the others.
    if (error instanceof Fault) return { id, file, sound: false, problem: error.message }
    throw error
  }
}

type RestoreOptions = Readonly<{ into?: string; json?: boolean }>

const restoreCommand = (): Command =>
  new Command('restore')
    .description('Restore archived rows into their table or a new one.')
    .argument('<id>', 'give the id of an archive, or its beginning')
    .option('--into <table>', 'create this table and restore there, readable by its owner')
    .option('--json', 'print JSON')
    .action((id: string, { into, json }: RestoreOptions) =>
      withDatabase(async (session) => {
        const { database, settings, clock, db } = session
        const deps = { pool: database.pool, settings, clock }
        const archive = await findArchive(db, id)
        if (into !== undefined) {
          const rows = await restoreBeside(deps, archive, into)
          answer(json, { table: into, rows }, () => `Put ${countText(rows)} rows into ${into}.`)
          return
        }
        const restored = await restoreArchive(deps, archive)
        answer(json, { ...restored, until: iso(restored.until) }, () => restoredText(restored))
      }),
    )

function restoredText({ table: name, restored, unchanged, kept, orphaned, until, also }: Restored): string {
  const others = [
    ...(unchanged > 0 ? [`${countText(unchanged)} were there already`] : []),
    ...(kept > 0 ? [`${countText(kept)} are there with other values, which stay`] : []),
    ...(orphaned > 0 ? [`${countText(orphaned)} belong to users who have left`] : []),
  ]
  return [
    `Put ${countText(restored)} rows back into ${name}${others.length > 0 ? `; ${others.join('; ')}` : ''}.`,
    ...(also.length === 0
      ? []
      : [`Restored first, since they are newer: ${also.map((id) => id.slice(0, 8)).join(', ')}.`]),
    ...(until === undefined ? [] : [`Retention leaves them alone until ${toMinuteText(until)}.`]),
  ].join('\n')
}

const queryCommand = (): Command =>
  new Command('query')
    .description('Query live and archived history with SQL (DuckDB).')
    .argument('<sql>', 'give a statement, such as "select count(*) from ohlcv_data"')
    .option('--json', 'print JSON')
    .action((query: string, { json }: JsonOption) =>
      withDatabase(async ({ database, settings }) => {
        if (query.trim() === '')
          throw new InvalidInput('the query is empty: write one, as in beacon archive query --help')
        const { columns, rows } = await queryArchive({ pool: database.pool, settings }, query)
        const asObjects = rows.map((row) =>
          Object.fromEntries(columns.map((name, index) => [name, row[index]])),
        )
        answer(json, { columns, rows: asObjects }, () =>
          columns.length === 0
            ? 'Done.'
            : table(
                rows,
                columns.map((title, index) => ({
                  title,
                  of: (row) => valueText(row[index]),
                  wraps: true as const,
                })),
              ),
        )
      }),
    )

type CheckCommandOptions = Readonly<{ accept?: boolean; json?: boolean }>

const checkCommand = (): Command =>
  new Command('check')
    .description('Compare rows and files with their recorded checksums.')
    .argument('[coin...]', 'name coins by id (bitcoin); default: all')
    .option('--accept', 'accept the rows as they are now and compare with them later')
    .option('--json', 'print JSON')
    .action((coins: string[], { accept = false, json }: CheckCommandOptions) =>
      withDatabase(async ({ database: { pool }, settings, clock, signal, db }) => {
        const known = await listCoinIds(db)
        const unknown = coins.filter((one) => !known.includes(one))
        if (unknown.length > 0) throw new InvalidInput(`there are no candles of ${unknown.join(', ')}`)
        const isWhole = coins.length === 0
        const coinIds = isWhole ? known : coins
        const result = await withCountingBar(coinIds.length, 'coins', (onProgress) =>
          checkArchive(
            { pool, settings, clock, signal },
            { coinIds, isWhole, accept, onProgress: (done) => onProgress(Math.min(done, coinIds.length)) },
          ),
        )
        await recordCheck(db, result)
        answer(json, checkJson(result), () => checkText(result))
        if (result.problems.length > 0)
          throw new DamagedArchive(
            `${countText(result.problems.length)} differences from what was written: each is listed with what helps`,
          )
      }),
    )

const checkJson = ({ checkedAt, coinIds, ...result }: CheckResult) => ({
  ...result,
  coins: coinIds ?? null,
  checkedAt: toIso(checkedAt),
})

const shownProblems = 50

function checkText({
  series,
  liveRows,
  archivedRows,
  files,
  counted,
  problems,
  durationMs,
}: CheckResult): string {
  const shown = problems.slice(0, shownProblems)
  return [
    ...shown.map(({ where, problem, remedy }) => `${where}: ${problem}\n  → ${remedy}`),
    ...(problems.length > shown.length ? [`and ${countText(problems.length - shown.length)} more`] : []),
    `Compared ${countText(liveRows)} candles of ${countText(series)} series in the table and ${countText(archivedRows)} in ${countText(files)} files with what was written, in ${durationText(Math.max(1_000, Math.round(durationMs / 1_000) * 1_000))}.`,
    ...(counted === 0 ? [] : [`Counted ${countText(counted)} days, months or files for the first time.`]),
    ...(problems.length === 0 ? ['Nothing differs.'] : []),
  ].join('\n')
}

type AdoptOptions = Readonly<{ dryRun?: boolean; json?: boolean }>

const adoptCommand = (): Command =>
  new Command('adopt')
    .description('Rebuild the manifest from the files of the archive.')
    .option('--dry-run', 'show what would be adopted; change nothing')
    .option('--json', 'print JSON')
    .action(({ dryRun = false, json }: AdoptOptions) =>
      withDatabase(async ({ database, settings, clock }) => {
        const files = await adoptArchives({ pool: database.pool, settings, clock }, dryRun)
        const refused = files.filter(({ outcome }) => outcome === 'refused')
        answer(json, { dryRun, files: files.map(adoptionJson) }, () => adoptionText(files, dryRun))
        if (refused.length > 0)
          throw new DamagedArchive(
            `${refused.length} of ${files.length} files cannot be adopted: each is listed with its reason`,
          )
      }),
    )

const adoptionJson = (one: Adoption) =>
  one.outcome === 'adopted'
    ? { ...one, range: undefined, from: toIso(one.range.from), to: toIso(one.range.to) }
    : one

function adoptionText(files: readonly Adoption[], dryRun: boolean): string {
  const adopted = files.filter(({ outcome }) => outcome === 'adopted').length
  if (files.length === 0) return 'There are no files where the archive is.'
  const rows = table(files, [
    { title: 'file', of: ({ fileName }) => fileName },
    { title: 'from', of: (one) => (one.outcome === 'adopted' ? toMinuteText(one.range.from) : '') },
    { title: 'to', of: (one) => (one.outcome === 'adopted' ? toMinuteText(one.range.to) : '') },
    {
      title: 'rows',
      of: (one) => (one.outcome === 'adopted' ? countText(one.rows) : ''),
      align: 'right',
    },
    { title: 'result', of: (one) => resultText(one, dryRun), wraps: true },
  ])
  return `${rows}\n\n${dryRun ? 'Would adopt' : 'Adopted'} ${countText(adopted)} of ${countText(files.length)} files.`
}

function resultText(one: Adoption, dryRun: boolean): string {
  if (one.outcome === 'refused') return one.reason
  if (one.outcome === 'known') return 'in the manifest already'
  return dryRun ? 'would be adopted' : 'adopted'
}

const valueText = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')
