import { sql } from 'drizzle-orm'
import type { Database } from '../transaction.ts'

/** Rights that differ from what the migrations set; each a list of names. */
export type AccessFlaws = Readonly<{
  /** Tables whose user policies are not forced. */
  unforced: readonly string[]
  /** Tables with a user column and no policy. */
  unguarded: readonly string[]
  /** `role on partition`: rights on a partition bypass the parent's policies. */
  grantedPartitions: readonly string[]
  /** Our roles that bypass policies. */
  unboundRoles: readonly string[]
  missingRoles: readonly string[]
  /** Our roles without usage on the schema. */
  shutOutRoles: readonly string[]
  /** Tables granted to PUBLIC. */
  openTables: readonly string[]
}>

const roles = sql`(values ('beacon_app'), ('beacon_ingest'), ('beacon_readonly'), ('beacon_upkeep')) as ours (role)`

/** Reads only the catalog. */
export async function readAccessFlaws(db: Database): Promise<AccessFlaws> {
  const { rows } = await db.execute<Record<keyof AccessFlaws, string[]>>(sql`
    with tables as (
      select * from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
    ), granted as (
      select relname, relispartition, grantee from tables, aclexplode(relacl) where grantee <> relowner
    )
    select
      array(select relname::text from tables
        where not (relrowsecurity and relforcerowsecurity) and exists (select from pg_policy where polrelid = tables.oid)
        order by 1) as "unforced",
      array(select relname::text from tables
        where not relispartition and not exists (select from pg_policy where polrelid = tables.oid)
          and exists (select from pg_constraint where conrelid = tables.oid and contype = 'f'
            and confrelid in (to_regclass('public.users'), to_regclass('public.trading_accounts')))
        order by 1) as "unguarded",
      array(select distinct case when grantee = 0 then 'everybody' else pg_get_userbyid(grantee)::text end || ' on ' || relname
        from granted where relispartition order by 1) as "grantedPartitions",
      array(select rolname::text from pg_roles join ${roles} on rolname = role where rolsuper or rolbypassrls order by 1) as "unboundRoles",
      array(select role from ${roles} where to_regrole(role) is null order by 1) as "missingRoles",
      array(select role from ${roles}
        where to_regrole(role) is not null and not has_schema_privilege(to_regrole(role), 'public', 'usage') order by 1) as "shutOutRoles",
      array(select distinct relname::text from granted where grantee = 0 order by 1) as "openTables"`)
  const [flaws] = rows
  if (!flaws) throw new Error('the catalog has no answer')
  return flaws
}
