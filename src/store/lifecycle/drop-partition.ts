import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import type { Instant } from '../../market/instant.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type Patience, patiently } from '../lock-patience.ts'
import { inTransaction, type Transaction } from '../transaction.ts'
import { forgetExpiring, type Leaf } from './expiring-partitions.ts'
import type { Safekeeping } from './safekeeping.ts'
import { trimLedger } from './trim-ledger.ts'

/** Called between two steps, with the name of the one that is done: a test ends the process there. */
export type Steps = (name: string) => Promise<void>

export type DropReach = Readonly<{ pool: Pool; steps: Steps; now: Instant }>

/** A detached leaf; of candles also their timeframe, by which the ledger knows them. */
export type DetachedLeaf = Leaf & Readonly<{ timeframe: Timeframe | undefined }>

/** Coins are read and locked by every load, which all wait behind whoever waits for this lock. */
const patience: Patience = { waitMs: 200, tries: 20 }

/**
 * Drops a detached leaf, and in the same transaction what the ledger says of its time, once all that must outlive it is
 * proved to be safe. Returns why it must stay, undefined when it is gone.
 */
export const dropPartition = (
  { pool, steps, now }: DropReach,
  leaf: DetachedLeaf,
  safekeeping: Safekeeping,
): Promise<string | undefined> =>
  inTransaction(
    pool,
    async (tx) => {
      const table = sql.identifier(leaf.name)
      const inUse = `could not drop ${leaf.name}: somebody reads it by its own name; the next run tries again`
      await patiently(tx, patience, inUse, () =>
        tx.db.execute(sql`lock table ${table} in access exclusive mode`),
      )
      const objection = await safekeeping.objection(tx.db, leaf)
      if (objection !== undefined) return objection
      await safekeeping.settle?.(tx.db, leaf, now)
      await steps('proved')
      await lockReferenced(tx, leaf)
      if (leaf.timeframe !== undefined) await trimLedger(tx.db, leaf.timeframe, [leaf.range], now)
      await steps('trimmed')
      await tx.db.execute(sql`drop table ${table}`)
      await forgetExpiring(tx.db, leaf)
      await steps('dropped')
      return undefined
    },
    'upkeep',
  )

/** With a foreign key go its triggers on the other side: had before anything is written, nobody can wait for us in turn. */
async function lockReferenced(tx: Transaction, { name }: Leaf): Promise<void> {
  const { rows } = await tx.db.execute<{ name: string }>(sql`
    select distinct relname as name from pg_constraint join pg_class on pg_class.oid = confrelid
    where contype = 'f' and conrelid = (
      select oid from pg_class where relname = ${name} and relnamespace = 'public'::regnamespace
    )`)
  for (const referenced of rows) {
    const busy = `could not drop ${name}: transactions on ${referenced.name} leave it no moment; the next run tries again`
    await patiently(tx, patience, busy, () =>
      tx.db.execute(sql`lock table ${sql.identifier(referenced.name)} in access exclusive mode`),
    )
  }
}

/** Of a leaf that somebody dropped by hand after it was detached, what is known of its time is left to take back. */
export const forgetDropped = ({ pool, now }: Omit<DropReach, 'steps'>, leaf: DetachedLeaf): Promise<void> =>
  inTransaction(pool, async ({ db }) => {
    if (leaf.timeframe !== undefined) await trimLedger(db, leaf.timeframe, [leaf.range], now)
    await forgetExpiring(db, leaf)
  })
