import { sql } from 'drizzle-orm'
import type { Database } from '../transaction.ts'

/** What quarantined rows can be asked for by, whether they have any or not. */
export type KnownNames = Readonly<{ coinIds: readonly string[]; sources: readonly string[] }>

/** The coins and sources of the database, also those that are no longer tracked. */
export async function readKnownNames(db: Database): Promise<KnownNames> {
  const { rows } = await db.execute<{ coinIds: string[]; sources: string[] }>(sql`
    select array(select id from coins order by 1) as "coinIds",
      array(select source from instruments union select source from quarantined_rows order by 1) as sources`)
  return rows[0] ?? { coinIds: [], sources: [] }
}
