import { sql } from 'drizzle-orm'
import type { Database } from '../transaction.ts'

export type HiddenFigures = Readonly<{ message: string; remedy: string }>

/**
 * Missing monitoring rights: the login sees other sessions only as numbers, and not every setting. Undefined if it sees
 * all.
 */
export async function readHiddenFigures(db: Database): Promise<HiddenFigures | undefined> {
  const { rows } = await db.execute<{ login: string; sees_all: boolean }>(sql`
    select quote_ident(session_user) as login,
      pg_has_role('pg_read_all_stats', 'usage') and pg_has_role('pg_read_all_settings', 'usage') as sees_all`)
  const [found] = rows
  if (!found || found.sees_all) return undefined
  return {
    message: `The login ${found.login} does not see the statements of other logins, nor what their sessions do: they count as idle.`,
    remedy: `grant pg_monitor to ${found.login}`,
  }
}
