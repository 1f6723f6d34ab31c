import { sql } from 'drizzle-orm'
import type { Database } from '../transaction.ts'

/** Valid filter values for quarantined rows. */
export type KnownNames = Readonly<{ coinIds: readonly string[]; sources: readonly string[] }>

/** Includes coins and sources no longer tracked. */
export async function readKnownNames(db: Database): Promise<KnownNames> {
  const { rows } = await db.execute<{ coinIds: string[]; sources: string[] }>(sql`
    select array(select id from coins order by 1) as "coinIds",
      array(select source from instruments union select source from quarantined_rows order by 1) as sources`)
  return rows[0] ?? { coinIds: [], sources: [] }
}
