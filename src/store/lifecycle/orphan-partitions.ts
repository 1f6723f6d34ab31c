import { sql } from 'drizzle-orm'
import type { Database } from '../transaction.ts'

/** A table with a partition's name and shape that is not attached. */
export type DetachedTable = Readonly<{ name: string; bytes: number }>

/** Queries of the parent do not see their rows. */
export async function listDetached(db: Database, tables: readonly string[]): Promise<DetachedTable[]> {
  if (tables.length === 0) return []
  const { rows } = await db.execute<{ name: string; bytes: string }>(sql`
    select own.relname as name, pg_total_relation_size(own.oid) as bytes
    from pg_class as own
    join pg_class as parent on parent.relnamespace = own.relnamespace
      and parent.relname = regexp_replace(own.relname, '_y[0-9]{4}(m[0-9]{2})?(d[0-9]{2})?$', '')
    where own.relkind = 'r' and not own.relispartition and own.relnamespace = 'public'::regnamespace
      and parent.relname in ${tables} and own.relname <> parent.relname
      -- Somebody's table may have any name.
      and not exists (
        select attname, atttypid, atttypmod from pg_attribute where attrelid = parent.oid and attnum > 0 and not attisdropped
        except
        select attname, atttypid, atttypmod from pg_attribute where attrelid = own.oid and attnum > 0 and not attisdropped
      )
    order by own.relname`)
  return rows.map(({ name, bytes }) => ({ name, bytes: Number(bytes) }))
}
