import { sql } from 'drizzle-orm'
import type { Database } from '../transaction.ts'

/** A table named like a partition that belongs to no table. */
export type DetachedTable = Readonly<{ name: string; bytes: number }>

/** Every such table. No query of the whole finds their rows. */
export async function listDetached(db: Database, tables: readonly string[]): Promise<DetachedTable[]> {
  if (tables.length === 0) return []
  const { rows } = await db.execute<{ name: string; bytes: string }>(sql`
    select relname as name, pg_total_relation_size(oid) as bytes
    from pg_class
    where relkind = 'r' and not relispartition and relnamespace = 'public'::regnamespace
      and regexp_replace(relname, '_y[0-9]{4}(m[0-9]{2})?(d[0-9]{2})?$', '') in ${tables}
      and relname ~ '_y[0-9]{4}(m[0-9]{2})?(d[0-9]{2})?$'
    order by relname`)
  return rows.map(({ name, bytes }) => ({ name, bytes: Number(bytes) }))
}
