import type { Pool } from 'pg'
import { loadPages } from '../../../src/ingest/load-pages.ts'
import { readSettings } from '../../../src/settings.ts'
import type { CandleBatch } from '../../../src/store/candles.ts'
import { readPartitions } from '../../../src/store/partitions/catalog.ts'
import type { PartitionCache } from '../../../src/store/partitions/partition-cache.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { pidOf, waiting } from '../loading.ts'

const settings = readSettings({})

/** Loads as jobs do. */
export const loadAs = (pool: Pool, pages: readonly CandleBatch[], partitions: PartitionCache = new Map()) =>
  loadPages({ pool, partitions, settings }, pages)

/** `FROM`–`TO` of each partition with its name, ascending. */
export async function boundsOf(pool: Pool, table: string): Promise<string[]> {
  const partitions = await readPartitions(databaseOf(pool), [table])
  return partitions.map(({ qualifiedName, bounds }) => `${qualifiedName} ${bounds}`)
}

/** How many rows each partition has, by its name; read from itself, not through its table. */
export async function rowsIn(pool: Pool, ...names: string[]): Promise<number[]> {
  const counts: number[] = []
  for (const name of names) {
    const { rows } = await pool.query<{ count: number }>(
      `select count(*)::integer as count from only ${name}`,
    )
    counts.push(rows[0]?.count ?? 0)
  }
  return counts
}

/** Begins to detach a partition, as `detach concurrently` does, and ends the session that waits for a reader. */
export async function interruptDetaching(pool: Pool, table: string, partition: string): Promise<void> {
  const [reader, detacher] = [await pool.connect(), await pool.connect()]
  try {
    await reader.query(`begin; select from ${partition} limit 1`)
    const pid = await pidOf(detacher)
    const detaching = detacher.query(`alter table ${table} detach partition ${partition} concurrently`)
    const ended = detaching.then(
      () => 'done',
      () => 'interrupted',
    )
    await waiting(pool, 1)
    await pool.query('select pg_cancel_backend($1)', [pid])
    if ((await ended) !== 'interrupted') throw new Error(`${partition} was detached`)
    await reader.query('commit')
  } finally {
    for (const client of [reader, detacher]) client.release()
  }
}

/** Runs the statement that a message names. */
export async function runStatement(pool: Pool, message: string, after: RegExp): Promise<void> {
  const [, statement] = after.exec(message) ?? []
  if (statement === undefined) throw new Error(`no statement in: ${message}`)
  await pool.query(statement)
}
