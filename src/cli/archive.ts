import { Command } from 'commander'
import { DamagedArchive } from '../archive/damaged-archive.ts'
import { queryArchive } from '../archive/query-archive.ts'
import { type Restored, restoreArchive, restoreBeside } from '../archive/restore-archive.ts'
import { verifyArchive } from '../archive/verify-archive.ts'
import { Aborted, Fault, InvalidInput } from '../fault.ts'
import { type Instant, toIso, toMinuteText } from '../market/instant.ts'
import { type Archive, findArchive, isBelieved, listArchives, recordReadBack } from '../store/archives.ts'
import { answer, bytesText, countText, say } from './output.ts'
import { type DatabaseSession, withDatabase } from './session.ts'
import { table } from './table.ts'

type JsonOption = Readonly<{ json?: boolean }>

export const archiveCommand = (): Command =>
  new Command('archive')
    .addCommand(listCommand())
    .addCommand(verifyCommand())
    .addCommand(restoreCommand())
    .addCommand(queryCommand())

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

type Verdict = Readonly<{ id: string; file: string; sound: boolean; problem?: string }>

const verifyCommand = (): Command =>
  new Command('verify')
    .description('Read archive files back and compare checksums.')
    .argument('[id]', 'give the id of an archive, or its beginning; default: all')
    .option('--json', 'print JSON')
    .action((id: string | undefined, { json }: JsonOption) =>
      withDatabase(async (session) => {
        const { db } = session
        const archives =
          id === undefined ? (await listArchives(db)).filter(isBelieved) : [await findArchive(db, id)]
        const verdicts: Verdict[] = []
        for (const archive of archives) {
          if (session.signal.aborted) throw new Aborted('stopped before every file was read: run it again')
          verdicts.push(await verdictOf(session, archive))
        }
        answer(json, { archives: verdicts }, () => `${countText(verdicts.length)} read back.`)
        const damaged = verdicts.flatMap(({ problem }) => problem ?? [])
        if (damaged.length > 0) throw new DamagedArchive(damaged.join('\n'))
      }),
    )

async function verdictOf({ settings, db, clock }: DatabaseSession, archive: Archive): Promise<Verdict> {
  const { id, fileName: file } = archive
  try {
    await verifyArchive(settings, archive)
    await recordReadBack(db, id, clock.now())
    say(`${file} is sound`)
    return { id, file, sound: true }
  } catch (error) {
    // One that cannot be reached keeps none of the others from being looked at.
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
        const reach = { pool: database.pool, settings, clock }
        const archive = await findArchive(db, id)
        if (into !== undefined) {
          const rows = await restoreBeside(reach, archive, into)
          answer(json, { table: into, rows }, () => `Put ${countText(rows)} rows into ${into}.`)
          return
        }
        const restored = await restoreArchive(reach, archive)
        answer(json, { ...restored, until: iso(restored.until) }, () => restoredText(restored))
      }),
    )

function restoredText({ table: name, restored, unchanged, kept, orphaned, until }: Restored): string {
  const others = [
    ...(unchanged > 0 ? [`${countText(unchanged)} were there already`] : []),
    ...(kept > 0 ? [`${countText(kept)} are there with other values, which stay`] : []),
    ...(orphaned > 0 ? [`${countText(orphaned)} belong to users who have left`] : []),
  ]
  return [
    `Put ${countText(restored)} rows back into ${name}${others.length > 0 ? `; ${others.join('; ')}` : ''}.`,
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

const valueText = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')
