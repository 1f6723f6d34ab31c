import { sql } from 'drizzle-orm'
import { Misconfigured } from '../../fault.ts'
import type { Database } from '../transaction.ts'

/** A connection limit and its current use; negative means unlimited. */
type Allowance = Readonly<{ whose: string; most: number; taken: number }>

/** Throws Misconfigured if this login has fewer connections left than `needed`. */
export async function refuseTooFewConnections(db: Database, needed: number): Promise<void> {
  const [tightest] = (await readAllowances(db))
    .filter(({ most }) => most >= 0)
    .toSorted((a, b) => a.most - a.taken - (b.most - b.taken))
  if (tightest === undefined || tightest.most - tightest.taken >= needed) return
  const { whose, most, taken } = tightest
  throw new Misconfigured(
    `${whose} of PostgreSQL allows ${most} connections, of which ${taken} are taken: this daemon needs ${needed}, so raise it`,
  )
}

async function readAllowances(db: Database): Promise<Allowance[]> {
  const { rows } = await db.execute<Allowance>(sql`
    with others as (
      select usename, datname from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid()
    )
    select 'max_connections' as whose,
      current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as most,
      (select count(*)::integer from others) as taken
    union all
    select 'the connection limit of the role ' || rolname, rolconnlimit,
      (select count(*)::integer from others where usename = session_user)
    from pg_roles where rolname = session_user and not rolsuper
    union all
    select 'the connection limit of the database ' || datname, datconnlimit,
      (select count(*)::integer from others where datname = current_database())
    from pg_database where datname = current_database()`)
  return rows
}
