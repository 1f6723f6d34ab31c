import { sql } from 'drizzle-orm'
import type { Database } from './transaction.ts'

export type ServerDescription = Readonly<{ version: string; bytes: number }>

export async function describeServer(db: Database): Promise<ServerDescription> {
  const { rows } = await db.execute<{ version: string; bytes: string }>(sql`
    select split_part(current_setting('server_version'), ' ', 1) as version, pg_database_size(current_database()) as bytes`)
  return { version: rows[0]?.version ?? '', bytes: Number(rows[0]?.bytes) }
}
