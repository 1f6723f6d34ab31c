import type { ClientBase, Pool } from 'pg'

/** Lines that each say one thing of a schema, sorted: what differs between two shows line by line. */
export type Description = readonly string[]

type Deps = Pick<Pool | ClientBase, 'query'>

/** Rights as `role=privilege`, whether they were never granted or granted and taken back. */
const rights = (acl: string, kind: string, owner: string): string => `(
  select coalesce(string_agg(
    case when grantee = 0 then 'public' else grantee::regrole::text end || '=' || privilege_type
      || case when is_grantable then '*' else '' end,
    ' ' order by grantee::regrole::text, privilege_type), 'nobody')
  from aclexplode(coalesce(${acl}, acldefault('${kind}', ${owner})))
)`

/** A partition that holds rows is made with the rows, not by a migration. */
const isPartition = `(relispartition and not exists (select from pg_partitioned_table where partrelid = pg_class.oid))`

/**
 * Everything of the schemas `public` and `api_v1` that the catalog can say, except the partitions that hold rows: relations
 * with their owner, rights and policies, columns, constraints, indexes, views, triggers, functions, comments.
 */
export async function describeSchema(pool: Deps): Promise<Description> {
  const { rows } = await pool.query<{ line: string }>(`
    with relation as (
      select * from pg_class
      where relnamespace in (select oid from pg_namespace where nspname in ('public', 'api', 'api_v1'))
        and relkind in ('r', 'p', 'v', 'm', 'S') and not ${isPartition}
    )
    select concat_ws(' ', 'schema', nspname, ${rights('nspacl', 'n', 'nspowner')}) as line
    from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
    union all
    select concat_ws(' ', 'relation', oid::regclass, relkind, relowner::regrole, pg_get_partkeydef(oid),
      pg_get_expr(relpartbound, oid), relrowsecurity, relforcerowsecurity, reloptions, ${rights('relacl', 'r', 'relowner')})
    from relation
    union all
    select concat_ws(' ', 'column', attrelid::regclass || '.' || attname, format_type(atttypid, atttypmod),
      case when attnotnull then 'not null' end, 'default ' || pg_get_expr(adbin, adrelid), attacl,
      'place ' || row_number() over (partition by attrelid order by attnum))
    from pg_attribute
    join relation on relation.oid = attrelid
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where attnum > 0 and not attisdropped
    union all
    select concat_ws(' ', 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(pg_constraint.oid))
    from pg_constraint join relation on relation.oid = conrelid
    union all
    select concat_ws(' ', 'index', pg_get_indexdef(indexrelid)) from pg_index join relation on relation.oid = indrelid
    union all
    select concat_ws(' ', 'view', oid::regclass, pg_get_viewdef(oid)) from relation where relkind in ('v', 'm')
    union all
    select concat_ws(' ', 'policy', polrelid::regclass || '.' || polname, polcmd, polpermissive, polroles::regrole[],
      'using', pg_get_expr(polqual, polrelid), 'with check', pg_get_expr(polwithcheck, polrelid))
    from pg_policy
    union all
    select concat_ws(' ', 'trigger', pg_get_triggerdef(pg_trigger.oid), tgenabled)
    from pg_trigger join relation on relation.oid = tgrelid where not tgisinternal
    union all
    select concat_ws(' ', 'function', pg_get_functiondef(oid), proowner::regrole, ${rights('proacl', 'f', 'proowner')})
    from pg_proc where pronamespace in (select oid from pg_namespace where nspname in ('public', 'api', 'api_v1'))
    union all
    select concat_ws(' ', 'default rights', defaclnamespace::regnamespace, defaclobjtype, defaclacl) from pg_default_acl
    union all
    -- Below 16384 are the comments that every database has.
    select concat_ws(' ', 'comment', pg_describe_object(classoid, objoid, objsubid), description)
    from pg_description where objoid >= 16384
    order by 1`)
  return rows.map(({ line }) => line)
}

/**
 * What a table is: columns with type, nullability and default, keys, checks and indexes, for every table of the schema
 * that is no partition. Names of the schema itself are left out, so that two can be compared.
 */
export async function describeTables(client: ClientBase, schema: string): Promise<Description> {
  // What the path finds is written without its schema.
  await client.query(`select set_config('search_path', $1, true)`, [schema])
  const { rows } = await client.query<{ line: string }>(`
    with relation as (
      select * from pg_class
      where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
        and relname not in ('schema_migrations', 'undone_migrations')
    )
    select concat_ws(' ', relname, 'column', attname, format_type(atttypid, atttypmod),
      case when attnotnull then 'not null' end, 'default ' || pg_get_expr(adbin, adrelid)) as line
    from pg_attribute
    join relation on relation.oid = attrelid
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where attnum > 0 and not attisdropped
    union all
    select concat_ws(' ', relname, 'constraint', conname, pg_get_constraintdef(pg_constraint.oid))
    from pg_constraint join relation on relation.oid = conrelid
    where contype in ('p', 'u', 'f', 'c') and conparentid = 0
    union all
    select concat_ws(' ', relname, 'index', regexp_replace(pg_get_indexdef(indexrelid), ' ON (ONLY )?\\S+', ''))
    from pg_index join relation on relation.oid = indrelid
    order by 1`)
  return rows.map(({ line }) => line)
}
