import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { Misconfigured } from '../../fault.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { packageDir } from '../../package-dir.ts'
import { takeLocks } from '../locks.ts'
import { type Database, inTransaction, rootMessage, type Transaction } from '../transaction.ts'

const viewsDir = fileURLToPath(new URL('drizzle/views', packageDir))

/**
 * Creates a materialized view from its file if the database lacks that text; views without a file belong to migrations.
 * Returns whether it was created. Throws Misconfigured, with nothing changed, for an invalid file or a view that cannot
 * be refreshed concurrently.
 */
export async function ensureView(
  pool: Pool,
  view: string,
  now: Instant,
  dir: string = viewsDir,
): Promise<boolean> {
  const file = join(dir, `${view}.sql`)
  const text = await readIfThere(file)
  if (text === undefined) return false
  const sha256 = createHash('sha256').update(text).digest('hex')
  return inTransaction(pool, (tx) => makeOnce(tx, { view, file, text, sha256, now }), 'maintenance')
}

type Definition = Readonly<{ view: string; file: string; text: string; sha256: string; now: Instant }>

async function makeOnce({ db, client }: Transaction, definition: Definition): Promise<boolean> {
  const { view, file, text, sha256, now } = definition
  await takeLocks(db, [`view ${view}`])
  const { rows: known } = await db.execute<{ sha256: string }>(
    sql`select sha256 from view_definitions where view = ${view}`,
  )
  if (known[0]?.sha256 === sha256 && (await isRefreshable(db, view))) return false
  await db.execute(sql`drop materialized view if exists ${sql.identifier(view)}`)
  try {
    await client.query(text)
  } catch (error) {
    throw new Misconfigured(`${file} does not run (${rootMessage(error)}): correct it`, { cause: error })
  }
  if (!(await isRefreshable(db, view))) {
    throw new Misconfigured(
      `${file} must create the materialized view ${view} and a unique index on columns of it: add them`,
    )
  }
  await db.execute(sql`
    insert into view_definitions (view, sha256, made_at) values (${view}, ${sha256}, ${toIso(now)}::timestamp)
    on conflict (view) do update set sha256 = excluded.sha256, made_at = excluded.made_at`)
  return true
}

/** REFRESH CONCURRENTLY needs a unique index over all rows. */
async function isRefreshable(db: Database, view: string): Promise<boolean> {
  const { rows } = await db.execute(sql`
    select from pg_index join pg_class on pg_class.oid = indrelid
    where relname = ${view} and relkind = 'm' and relnamespace = current_schema()::regnamespace
      and indisunique and indpred is null and indexprs is null`)
  return rows.length > 0
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
