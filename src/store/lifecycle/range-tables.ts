import { sql } from 'drizzle-orm'
import type { Database, Transaction } from '../transaction.ts'

/** The named tables, and partitions of them, that are partitioned by range. */
export async function rangeTablesOf(db: Database, tables: readonly string[]): Promise<string[]> {
  if (tables.length === 0) return []
  const { rows } = await db.execute<{ name: string }>(sql`
    select own.relname as name
    from pg_class as own
    join pg_partitioned_table on partrelid = own.oid and partstrat = 'r'
    left join pg_inherits on inhrelid = own.oid
    left join pg_class as parent on parent.oid = inhparent
    where own.relnamespace = current_schema()::regnamespace
      and (own.relname in ${tables} or (parent.relname in ${tables} and parent.relnamespace = own.relnamespace))
    order by own.relname`)
  return rows.map(({ name }) => name)
}

export async function holdPartitions({ db }: Transaction, tables: readonly string[]): Promise<void> {
  if (tables.length === 0) return
  const names = sql.join(
    tables.map((table) => sql`only ${sql.identifier(table)}`),
    sql`, `,
  )
  await db.execute(sql`lock table ${names} in access share mode`)
}
