import type { DuckDBConnection } from '@duckdb/node-api'
import { InvalidInput } from '../../fault.ts'
import { missingPackage } from '../../missing-package.ts'
import { emptyPlace, outline, type View, viewText } from './duck-views.ts'

async function loadDuckDb() {
  try {
    return await import('@duckdb/node-api')
  } catch (error) {
    throw missingPackage(error, 'archive queries need DuckDB, which is not installed', ['@duckdb/node-api'])
  }
}

/** Throws Misconfigured if DuckDB is not installed. */
export async function withDuckDb<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const { DuckDBInstance } = await loadDuckDb()
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return await work(connection)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** The places a query reads, from DuckDB's plan over outlines. All places if there is no single plan. */
export function placesRead(query: string, views: readonly View[]): Promise<ReadonlySet<string>> {
  const all = new Set(views.flatMap(({ places }) => places.map(({ name }) => name)))
  return withDuckDb(async (connection) => {
    for (const view of views) {
      for (const { name, place } of view.places) {
        await connection.run(emptyPlace(name, view.columns))
        await connection.run(outline(view, name, place))
      }
      await connection.run(viewText(view))
    }
    const plan = await planOf(connection, query)
    return plan === undefined ? all : new Set([...all].filter((name) => plan.has(name)))
  })
}

/** Tables scanned by a single query; undefined without a plan. */
async function planOf(connection: DuckDBConnection, query: string): Promise<ReadonlySet<string> | undefined> {
  try {
    const { count } = await connection.extractStatements(query)
    if (count !== 1) return undefined
    const reader = await connection.runAndReadAll(`explain (format json) ${query}`)
    const scanned = new Set<string>()
    for (const [, text] of reader.getRowsJson()) collectTables(JSON.parse(String(text)), scanned)
    return scanned
  } catch {
    // The query itself reports its error.
    return undefined
  }
}

/** A scan has `"Table": "memory.main.place_1"`. */
function collectTables(node: unknown, scanned: Set<string>): void {
  if (Array.isArray(node)) for (const one of node) collectTables(one, scanned)
  else if (typeof node === 'object' && node !== null)
    for (const [key, value] of Object.entries(node)) {
      if (key === 'Table') scanned.add(String(value).split('.').at(-1) ?? '')
      else collectTables(value, scanned)
    }
}

export type QueryAnswer = Readonly<{ columns: readonly string[]; rows: readonly (readonly unknown[])[] }>

/** Throws InvalidInput for a query that DuckDB rejects. */
export async function answer(connection: DuckDBConnection, query: string): Promise<QueryAnswer> {
  try {
    const reader = await connection.runAndReadAll(query)
    return { columns: reader.deduplicatedColumnNames(), rows: reader.getRowsJson() }
  } catch (error) {
    throw new InvalidInput(`DuckDB refused the query: ${reasonIn(error)}`)
  }
}

function reasonIn(error: unknown): string {
  const [words = '', line] = (error instanceof Error ? error.message : String(error)).split(
    /\s*\n+LINE (\d+):/,
  )
  return `${words.replaceAll(/\s+/g, ' ')}${line === undefined ? '' : ` (in its line ${line})`}; see docs/archive.md for what it can ask`
}
