import { sql } from 'drizzle-orm'
import type { Instant } from '../../market/instant.ts'
import { fromMs } from '../multirange.ts'
import type { Database } from '../transaction.ts'

/** A table named like a leaf that belongs to no table; `expiringSince` where retention has detached it and will drop it. */
export type DetachedTable = Readonly<{ name: string; expiringSince: Instant | undefined; bytes: number }>

/** Every such table. No reader of the whole finds their rows. */
export async function listDetached(db: Database, tables: readonly string[]): Promise<DetachedTable[]> {
  if (tables.length === 0) return []
  const { rows } = await db.execute<{ name: string; began_ms: string | null; bytes: string }>(sql`
    select relname as name, extract(epoch from began_at) * 1000 as began_ms, pg_total_relation_size(pg_class.oid) as bytes
    from pg_class left join expiring_partitions as expiring on expiring.name = relname
    where relkind = 'r' and not relispartition and relnamespace = 'public'::regnamespace
      and regexp_replace(relname, '_y[0-9]{4}(m[0-9]{2})?(d[0-9]{2})?$', '') in ${tables}
      and relname ~ '_y[0-9]{4}(m[0-9]{2})?(d[0-9]{2})?$'
    order by relname`)
  return rows.map(({ name, began_ms, bytes }) => ({
    name,
    expiringSince: began_ms === null ? undefined : fromMs(began_ms),
    bytes: Number(bytes),
  }))
}
