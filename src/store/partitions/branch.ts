import { sql } from 'drizzle-orm'
import { type Fault, Misconfigured } from '../../fault.ts'
import { second } from '../../market/instant.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { recordMaintenance } from '../maintenance-audit.ts'
import type { Database } from '../transaction.ts'

/** A timeframe's first level of ohlcv_data. */
export type Branch = 'partitioned' | 'plain' | Fault

type BranchRow = Readonly<{ kind: string; is_attached: boolean; is_pending: boolean }>

/** Finds or creates a timeframe's branch; new configured timeframes have none. */
export async function ensureBranch(db: Database, name: string, timeframe: Timeframe): Promise<Branch> {
  const found = await findBranch(db, name, timeframe)
  if (found !== undefined) return found
  await createBranch(db, name, timeframe)
  return 'partitioned'
}

/** Undefined if it can be created. */
export async function findBranch(
  db: Database,
  name: string,
  timeframe: Timeframe,
): Promise<Branch | undefined> {
  const { rows } = await db.execute<BranchRow>(sql`
    select relkind as kind, coalesce(inhparent = 'ohlcv_data'::regclass, false) as is_attached,
      coalesce(inhdetachpending, false) as is_pending
    from pg_class left join pg_inherits on inhrelid = pg_class.oid
    where relname = ${name} and relnamespace = 'public'::regnamespace`)
  const [found] = rows
  if (found) return stateOf(found, name, timeframe)
  const other = await findOtherBranch(db, timeframe)
  return other === undefined
    ? undefined
    : new Misconfigured(
        `candles of ${timeframe} belong to partition ${other} of ohlcv_data, where ${name} is expected; run: alter table ${other} rename to ${name}`,
      )
}

function stateOf({ kind, is_attached, is_pending }: BranchRow, name: string, timeframe: Timeframe): Branch {
  if (is_pending) {
    return new Misconfigured(
      `detaching public.${name} from ohlcv_data was interrupted; run: alter table public.ohlcv_data detach partition public.${name} finalize`,
    )
  }
  if (!is_attached) {
    return new Misconfigured(
      `public.${name} is not a partition of ohlcv_data; attach it: alter table public.ohlcv_data attach partition public.${name} for values in ('${timeframe}'); or rename it: alter table public.${name} rename to ${name}_old`,
    )
  }
  return kind === 'p' ? 'partitioned' : 'plain'
}

async function findOtherBranch(db: Database, timeframe: Timeframe): Promise<string | undefined> {
  const { rows } = await db.execute<{ name: string }>(sql`
    select format('%I.%I', nspname, relname) as name
    from pg_inherits join pg_class as child on child.oid = inhrelid
    join pg_namespace on pg_namespace.oid = relnamespace
    where inhparent = 'ohlcv_data'::regclass and pg_get_expr(relpartbound, 0) like ${`%'${timeframe}'%`}`)
  return rows[0]?.name
}

async function createBranch(db: Database, name: string, timeframe: Timeframe): Promise<void> {
  const branch = sql.identifier(name)
  await db.execute(
    sql`create table ${branch} (like ohlcv_data including defaults including constraints) partition by range (timestamp)`,
  )
  // As in the migrations; inherited by partitions. DDL takes no parameters.
  const length = sql.raw(`'${timeframeMs[timeframe] / second} seconds'`)
  await db.execute(sql`
    alter table ${branch} add constraint ${sql.identifier(`${name}_aligned`)}
    check (timestamp = date_bin(${length}, timestamp, '1970-01-01'))`)
  await db.execute(
    sql`alter table ohlcv_data attach partition ${branch} for values in (${sql.raw(`'${timeframe}'`)})`,
  )
  await recordMaintenance(db, {
    operation: 'CREATE',
    table: 'ohlcv_data',
    entity: name,
    details: { timeframe },
  })
}
