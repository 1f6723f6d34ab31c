import type { Pool } from 'pg'

export type Column = Readonly<{
  name: string
  type: string
  isNullable: boolean
  defaultText: string | null
  comment: string | null
  inKey: boolean
  refers: boolean
}>

/** `unique`: at most one row refers to a row of the other table. `optional`: a row may refer to none. */
type Reference = Readonly<{ to: string; columns: string; optional: boolean; unique: boolean }>

export type Table = Readonly<{
  name: string
  comment: string | null
  partitionKey: string | null
  columns: readonly Column[]
  references: readonly Reference[]
  /** Keys and references as SQL, without those that a reference inherits. */
  keys: readonly string[]
}>

/** Every table and materialized view of the schema `public` that is no partition, by name. */
export async function readTables(pool: Pool): Promise<Table[]> {
  const { rows } = await pool.query<Table>(`
    select relname as name, obj_description(relation.oid, 'pg_class') as comment,
      pg_get_partkeydef(relation.oid) as "partitionKey",
      (select json_agg(json_build_object(
          'name', attname,
          'type', replace(replace(format_type(atttypid, atttypmod), 'timestamp without time zone', 'timestamp'), 'character varying', 'varchar'),
          'isNullable', not attnotnull,
          'defaultText', pg_get_expr(adbin, adrelid),
          'comment', col_description(attrelid, attnum),
          'inKey', exists (select from pg_constraint where conrelid = attrelid and contype = 'p' and attnum = any(conkey)),
          'refers', exists (select from pg_constraint where conrelid = attrelid and contype = 'f' and attnum = any(conkey))
        ) order by attnum)
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = relation.oid and attnum > 0 and not attisdropped) as columns,
      coalesce((select json_agg(json_build_object(
          'to', confrelid::regclass,
          'columns', (select string_agg(attname, ', ' order by array_position(conkey, attnum))
            from pg_attribute where attrelid = conrelid and attnum = any(conkey)),
          'optional', exists (select from pg_attribute where attrelid = conrelid and attnum = any(conkey) and not attnotnull),
          'unique', exists (select from pg_constraint as key
            where key.conrelid = reference.conrelid and key.contype in ('p', 'u') and key.conkey = reference.conkey)
        ) order by conname)
        from pg_constraint as reference where conrelid = relation.oid and contype = 'f' and conparentid = 0), '[]') as references,
      coalesce((select json_agg(pg_get_constraintdef(oid) order by contype <> 'p', contype <> 'u', conname)
        from pg_constraint where conrelid = relation.oid and contype in ('p', 'u', 'f') and conparentid = 0), '[]') as keys
    from pg_class as relation
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'm') and not relispartition
    order by relname`)
  return rows
}

/** The tables that refer to each other, group by group, and those that stand alone. */
export function connectedTables(tables: readonly Table[]): { groups: Table[][]; single: Table[] } {
  const groups: Table[][] = []
  for (const table of tables) {
    const touching = groups.filter((group) => group.some((other) => isJoined(table, other)))
    for (const group of touching) groups.splice(groups.indexOf(group), 1)
    groups.push([...touching.flat(), table])
  }
  const sorted = groups.map((group) => group.toSorted((one, other) => (one.name < other.name ? -1 : 1)))
  return {
    groups: sorted.filter(({ length }) => length > 1).sort((one, other) => other.length - one.length),
    single: sorted.filter(({ length }) => length === 1).flat(),
  }
}

const isJoined = (one: Table, other: Table): boolean =>
  one.references.some(({ to }) => to === other.name) || other.references.some(({ to }) => to === one.name)
