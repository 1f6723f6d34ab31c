import { sql } from 'drizzle-orm'
import type { Database } from '../transaction.ts'
import { nameOf, type Partition } from './list-partitions.ts'
import type { Hold } from './partition-holds.ts'

type BlockerRow = Readonly<{ oid: number; type: string; identity: string; name: string; more: number }>

/**
 * What blocks deletion, by oid: dependent objects, publications, ownership. PostgreSQL would refuse the first and last,
 * but silently drop the partition from a publication.
 */
export async function readBlockers(
  db: Database,
  partitions: readonly Partition[],
): Promise<Map<number, Hold>> {
  const holds = new Map<number, Hold>()
  for (const partition of partitions) {
    const hold = formHold(partition)
    if (hold) holds.set(partition.oid, hold)
  }
  if (partitions.length === 0) return holds
  const byOid = new Map(partitions.map((partition) => [partition.oid, partition]))
  for (const row of [...(await readOwners(db, partitions)), ...(await readDependents(db, partitions))]) {
    const partition = byOid.get(row.oid)
    if (partition && !holds.has(row.oid)) holds.set(row.oid, holdOf(partition, row))
  }
  return holds
}

/** Only ordinary tables are dropped. */
function formHold(partition: Partition): Hold | undefined {
  const [name, parent] = [nameOf(partition), partition.table]
  if (partition.isDetachPending) {
    return {
      kind: 'shape',
      reason: `somebody's DETACH PARTITION of it was interrupted, and queries of ${parent} do not see its rows`,
      remedy: `alter table ${parent} detach partition ${name} finalize`,
    }
  }
  switch (partition.relation) {
    case 'table':
      return undefined
    case 'foreign':
      return {
        kind: 'shape',
        reason: 'it is a foreign table, which may hold rows of another server',
        remedy: `alter table ${parent} detach partition ${name}`,
      }
    case 'partitioned':
      return {
        kind: 'shape',
        reason: 'it is partitioned itself',
        remedy: `alter table ${parent} detach partition ${name}`,
      }
  }
}

const oidsOf = (partitions: readonly Partition[]) =>
  sql`${sql.param(partitions.map(({ oid }) => oid))}::bigint[]::oid[]`

async function readOwners(db: Database, partitions: readonly Partition[]): Promise<BlockerRow[]> {
  const { rows } = await db.execute<BlockerRow>(sql`
    select child.oid::bigint::float8 as oid, 'owner' as type, quote_ident(pg_get_userbyid(child.relowner)) as identity,
      quote_ident(pg_get_userbyid(parent.relowner)) as name, 0 as more
    from pg_class as child
    join pg_inherits on inhrelid = child.oid
    join pg_class as parent on parent.oid = inhparent
    join pg_namespace on pg_namespace.oid = child.relnamespace
    where child.oid = any(${oidsOf(partitions)})
      and not (pg_has_role(child.relowner, 'usage') and has_schema_privilege(child.relnamespace, 'usage'))`)
  return rows
}

/** The first dependent by kind and name, with the number of others. */
async function readDependents(db: Database, partitions: readonly Partition[]): Promise<BlockerRow[]> {
  const { rows } = await db.execute<BlockerRow>(sql`
    with target as materialized (
      select pg_class.oid, reltype, typarray from pg_class join pg_type on pg_type.oid = reltype
      where pg_class.oid = any(${oidsOf(partitions)})
    ), dependent as (
      select target.oid, classid, objid, objsubid from target
      join pg_depend on deptype = 'n' and refclassid = 'pg_class'::regclass and refobjid = target.oid
      union
      select target.oid, classid, objid, objsubid from target
      join pg_depend on deptype = 'n' and refclassid = 'pg_type'::regclass and refobjid in (reltype, typarray)
      union
      -- A sequence that one of its columns owns is dropped with it.
      select target.oid, used.classid, used.objid, used.objsubid from target
      join pg_depend as owned on owned.deptype = 'a' and owned.refclassid = 'pg_class'::regclass
        and owned.refobjid = target.oid and owned.classid = 'pg_class'::regclass
      join pg_class as sequence on sequence.oid = owned.objid and sequence.relkind = 'S'
      join pg_depend as used on used.deptype = 'n' and used.refclassid = 'pg_class'::regclass
        and used.refobjid = sequence.oid
    ), foreign_object as (
      -- A view depends on a table by its rule _RETURN; any other rule is an object of its own.
      select dependent.oid, case when ev_class is null then classid else 'pg_class'::regclass end as classid,
        coalesce(ev_class, objid) as objid, case when ev_class is null then objsubid else 0 end as objsubid
      from dependent left join pg_rewrite on classid = 'pg_rewrite'::regclass and pg_rewrite.oid = objid
        and rulename = '_RETURN'
      union
      select prrelid, 'pg_publication_rel'::regclass, pg_publication_rel.oid, 0
      from pg_publication_rel join target on target.oid = prrelid
      union
      select target.oid, refclassid, refobjid, refobjsubid from target
      join pg_depend on deptype = 'e' and classid = 'pg_class'::regclass and objid = target.oid
    ), named as (
      select foreign_object.oid, type, identity, pubname, row_number() over same as place, count(*) over same - 1 as more
      from foreign_object
      cross join lateral pg_identify_object(foreign_object.classid, foreign_object.objid, foreign_object.objsubid)
      left join pg_publication_rel as published
        on foreign_object.classid = 'pg_publication_rel'::regclass and published.oid = foreign_object.objid
      left join pg_publication on pg_publication.oid = prpubid
      where not (foreign_object.classid = 'pg_class'::regclass and foreign_object.objid = foreign_object.oid) and not exists (
        -- Its own constraints, triggers and policies go with it.
        select from pg_depend as own
        where own.classid = foreign_object.classid and own.objid = foreign_object.objid and deptype in ('a', 'i')
          and refclassid = 'pg_class'::regclass and refobjid = foreign_object.oid
          and own.classid <> 'pg_publication_rel'::regclass
      )
      window same as (partition by foreign_object.oid order by type, identity rows between unbounded preceding and unbounded following)
    )
    select oid::bigint::float8 as oid, type, identity, coalesce(quote_ident(pubname), '') as name, more::integer
    from named where place = 1 order by oid`)
  return rows
}

function holdOf(partition: Partition, { type, identity, name, more }: BlockerRow): Hold {
  const relation = nameOf(partition)
  if (type === 'owner') {
    return {
      kind: 'owner',
      reason: `it belongs to the role ${identity}`,
      remedy: `alter table ${relation} owner to ${name}`,
    }
  }
  const others = more === 0 ? '' : ` and ${more} more ${more === 1 ? 'object' : 'objects'}`
  const reason = `the ${type === 'publication relation' ? `publication ${name}` : `${type} ${identity}`}${others} of somebody else depends on it`
  return {
    kind: 'object',
    reason: more === 0 ? reason : reason.replace(/depends on it$/, 'depend on it'),
    remedy: remedyOf(relation, type, identity, name),
  }
}

function remedyOf(relation: string, type: string, identity: string, name: string): string {
  const [, member, owner] = /^(.+) on (.+)$/.exec(identity) ?? []
  const [, parent, column] = /^(?:for )?(.+)\.((?:[^".]|"(?:[^"]|"")*")+)$/.exec(identity) ?? []
  switch (type) {
    case 'publication relation':
      return `alter publication ${name} drop table ${relation}`
    case 'table constraint':
      return `alter table ${owner} drop constraint ${member}`
    case 'table column':
      return `alter table ${parent} drop column ${column}`
    case 'composite type column':
      return `alter type ${parent} drop attribute ${column}`
    case 'default value':
      return `alter table ${parent} alter column ${column} drop default`
    case 'extension':
      return `alter extension ${identity} drop table ${relation}`
    default:
      return `drop ${type} ${identity}`
  }
}
