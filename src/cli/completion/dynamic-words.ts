import { join, resolve } from 'node:path'
import { second } from '../../market/instant.ts'
import { findEmbeddedUrl } from '../../runtime/embedded.ts'
import { within } from '../../runtime/within.ts'
import { readSettings, type Settings } from '../../settings.ts'
import { listCoins } from '../../store/coins.ts'
import { listArchives } from '../../store/lifecycle/archives.ts'
import { listViews } from '../../store/lifecycle/views.ts'
import { readMigrations } from '../../store/migrations/files.ts'
import { openPool } from '../../store/pool.ts'
import { listQuarantined } from '../../store/quarantine.ts'
import { databaseOf } from '../../store/transaction.ts'

/** Words that change between calls. */
export type DynamicKind =
  | 'coins'
  | 'untracked'
  | 'timeframes'
  | 'archives'
  | 'quarantined'
  | 'views'
  | 'migrations'

export type DynamicWord = Readonly<{ kind: DynamicKind; word: string; description: string }>

/** The user is waiting. */
const timeoutMs = 2 * second

/** Newest first; longer menus are not read. */
const most = 50

/** From the database if it answers at once, else from configuration. Starts and changes nothing. */
export async function readDynamicWords(variables: NodeJS.ProcessEnv): Promise<DynamicWord[]> {
  const settings = readSettings(variables)
  return [...(await ofFiles(settings)), ...(await ofDatabase(settings))]
}

async function ofFiles({ timeframes }: Settings): Promise<DynamicWord[]> {
  const migrations = (await readMigrations()).toReversed()
  return [
    ...Object.keys(timeframes).map((word) => ({ kind: 'timeframes' as const, word, description: '' })),
    ...migrations.map(({ name }) => ({ kind: 'migrations' as const, word: name, description: '' })),
  ]
}

async function ofDatabase(settings: Settings): Promise<DynamicWord[]> {
  try {
    return await within(timeoutMs, askDatabase(settings), 'the database is too slow to complete from')
  } catch {
    // Completion shows no errors; the command will.
    return coinWords(settings, settings.coins)
  }
}

async function askDatabase(settings: Settings): Promise<DynamicWord[]> {
  const { databaseUrl, dataDir } = settings.environment
  const url = databaseUrl ?? (await findEmbeddedUrl(resolve(join(dataDir, 'postgres'))))
  if (url === undefined) return coinWords(settings, settings.coins)
  const limits = { minConnections: 0, maxConnections: 1, connectionTimeout: timeoutMs }
  const pool = openPool(url, { ...settings.database, ...limits }, () => undefined, 'beacon completion')
  try {
    const db = databaseOf(pool)
    const archives = (await listArchives(db)).toReversed().slice(0, most)
    const { rows: quarantined } = await listQuarantined(db, { state: 'open' }, most)
    return [
      ...coinWords(settings, await listCoins(db)),
      ...archives.map(({ id, partition, table, state }) => ({
        kind: 'archives' as const,
        word: id.slice(0, 8),
        description: `${partition ?? table}, ${state}`,
      })),
      ...quarantined.map(({ id, source, market, reason }) => ({
        kind: 'quarantined' as const,
        word: id.slice(0, 8),
        description: `${source}:${market}, ${reason}`,
      })),
      ...(await listViews(pool)).map((word) => ({ kind: 'views' as const, word, description: '' })),
    ]
  } finally {
    await pool.close()
  }
}

type Named = Readonly<{ id: string; name: string }>

/** Tracked, and configured but not tracked. */
function coinWords(settings: Settings, tracked: readonly Named[]): DynamicWord[] {
  const ids = new Set(tracked.map(({ id }) => id))
  const others = settings.coins.filter(({ id }) => !ids.has(id))
  const word = (kind: DynamicKind) => (coin: Named) => ({ kind, word: coin.id, description: coin.name })
  return [...tracked.map(word('coins')), ...others.map(word('untracked'))]
}

export const dynamicText = (words: readonly DynamicWord[]): string =>
  words
    .map(({ kind, word, description }) => `${kind} ${word}\t${description.replaceAll(/\s+/g, ' ')}`)
    .join('\n')
