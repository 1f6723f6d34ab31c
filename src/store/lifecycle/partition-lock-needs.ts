import { sql } from 'drizzle-orm'
import type { Database } from '../transaction.ts'

export async function locksOfWholeQuery(db: Database): Promise<number> {
  const { rows } = await db.execute<{ locks: number }>(sql`
    with recursive tree as (
      select oid as root, oid from pg_class
      where relname in ('ohlcv_data', 'market_data') and relnamespace = current_schema()::regnamespace
      union all
      select root, inhrelid from tree join pg_inherits on inhparent = tree.oid
    )
    select coalesce(max(locks), 0)::integer as locks from (
      select count(*) + count(indexrelid) as locks
      from tree left join pg_index on indrelid = tree.oid
      group by root
    ) as tables`)
  return rows[0]?.locks ?? 0
}
