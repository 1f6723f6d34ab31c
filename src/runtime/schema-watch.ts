import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import type { Misconfigured } from '../fault.ts'
import { readMigrations } from '../store/migrations/files.ts'
import { undoneByHand } from '../store/migrations.ts'
import { databaseOf } from '../store/transaction.ts'
import { everyProcess } from './every-process.ts'
import type { Log } from './log.ts'
import type { Releases } from './release.ts'

const everyTenSeconds = '*/10 * * * * *'

/** Resolves once a migration that this version needs was undone; a schema newer than this version is no matter. */
export async function watchSchema(
  { pool, log }: Readonly<{ pool: Pool; log: Log }>,
  releases: Releases,
): Promise<{ undone: Promise<Misconfigured> }> {
  const newest = (await readMigrations()).at(-1)?.name ?? ''
  let report: (fault: Misconfigured) => void = () => {}
  const undone = new Promise<Misconfigured>((resolve) => {
    report = resolve
  })
  const check = async (): Promise<void> => {
    try {
      if (!(await isApplied(pool, newest))) report(undoneByHand(newest))
    } catch (error) {
      log.debug('schema.unchecked', { reason: error instanceof Error ? error.message : String(error) })
    }
  }
  const task = everyProcess(everyTenSeconds, check, log)
  releases.push(() => task.destroy())
  return { undone }
}

async function isApplied(pool: Pool, name: string): Promise<boolean> {
  const { rows } = await databaseOf(pool).execute<{ applied: boolean }>(
    sql`select exists (select from public.schema_migrations where name = ${name}) as applied`,
  )
  return rows[0]?.applied === true
}
