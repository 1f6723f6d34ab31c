import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { type ArchiveDeps, archived } from '../../../src/lifecycle/archive/archive-partition.ts'
import type { Instant } from '../../../src/market/instant.ts'
import type { AlignedRange } from '../../../src/market/range.ts'
import { floorTo } from '../../../src/market/timeframe.ts'
import { readSettings, type Settings } from '../../../src/settings.ts'
import { deletePartition, holdOf } from '../../../src/store/lifecycle/delete-partitions.ts'
import { listPartitions, type Partition } from '../../../src/store/lifecycle/list-partitions.ts'
import type { Proof } from '../../../src/store/lifecycle/safekeeping.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionAt } from '../../../src/store/partitions.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { aCoin, at, writeCoverage } from '../../store/loading.ts'
import { test as base, superuserOf } from '../../support/database.ts'

/** When the sentences about archives speak; 1h candles of March 2024 are long past their time. */
export const now = at('2024-09-01T00:30:00Z')
export const later = at('2024-09-20T00:30:00Z')

const folder = join(tmpdir(), 'beacon-archive-')

/** `test` with a folder of its own as `BEACON_DATA_DIR`, and settings that know of it. */
export const test = base
  .extend('dataDir', async ({ pool: _ }, { onCleanup }) => {
    const dataDir = await mkdtemp(folder)
    onCleanup(() => rm(dataDir, { recursive: true, force: true }))
    return dataDir
  })
  .extend('settings', ({ dataDir }): Settings => readSettings({ BEACON_DATA_DIR: dataDir }))
  .extend('deps', ({ pool, settings }) => reachOf(pool, settings, now))

export const reachOf = (pool: Pool, settings: Settings, instant: Instant): ArchiveDeps => ({
  pool,
  settings,
  clock: { now: () => instant },
})

let months = 0

/** A month of 1h candles of a coin of its own, in a partition that no other sentence has, with its coverage. */
export async function aMonth(
  pool: Pool,
  candles = 50,
  called?: string,
): Promise<Partition & { coinId: string; covered: AlignedRange }> {
  months += 1
  const first = at(
    `${1990 + Math.floor(months / 12)}-${String(1 + (months % 12)).padStart(2, '0')}-01T00:00:00Z`,
  )
  const table = candleTable('1h', 'month')
  const plan = partitionAt(table, first)
  await ensurePartitions(pool, table, [plan], 2_000)
  const coinId = await aCoin(pool, called)
  await addCandles(pool, coinId, first, candles)
  const covered = { from: first, to: at(new Date(first + candles * 3_600_000).toISOString()) }
  await inTransaction(pool, ({ db }) =>
    writeCoverage(
      db,
      { coinId, timeframe: '1h', source: 'binance' },
      {
        stored: [covered],
        'no-trades': [{ from: covered.to, to: floorTo('1h', plan.range.to) }],
        refused: [],
      },
      now,
    ),
  )
  return { ...(await partitionNamed(pool, plan.name)), coinId, covered }
}

/** Candles whose values need every digit that their columns have. */
export async function addCandles(pool: Pool, coinId: string, first: Instant, candles: number): Promise<void> {
  await databaseOf(pool).execute(sql`
    insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume)
    select ${coinId}, '1h', ${new Date(first).toISOString()}::timestamp + hours * interval '1 hour',
      0.00000001 + hours, 9999999999999999.99999999 - hours, 0, 1.1 + hours, 999999999999999999999999.99999999 - hours
    from generate_series(0, ${candles - 1}) as hours`)
}

/** What a table holds of a coin, and what the ledger says of it, as text. */
export async function held(pool: Pool, coinId: string): Promise<{ rows: string[]; coverage: string[] }> {
  const candles = await pool.query<{ row: string }>(
    `select ohlcv_data::text as row from ohlcv_data where coin_id = $1 order by timestamp`,
    [coinId],
  )
  const coverage = await pool.query<{ line: string }>(
    `select concat_ws(' ', source, state, ranges) as line from candle_coverage
     where coin_id = $1 and not isempty(ranges) order by state`,
    [coinId],
  )
  return { rows: candles.rows.map(({ row }) => row), coverage: coverage.rows.map(({ line }) => line) }
}

/** The partition as the catalog has it now: the same name may be another one's later. */
async function partitionNamed(pool: Pool, name: string): Promise<Partition> {
  const partitions = await listPartitions(pool, ['ohlcv_data_1h'])
  const found = partitions.find((one) => one.name === name)
  if (!found) throw new Error(`there is no partition ${name}`)
  return found
}

/** Archives and deletes a partition as retention does; returns why it must stay. */
export async function deleteAsRetention(
  deps: ArchiveDeps,
  { name }: Pick<Partition, 'name'>,
): Promise<string | undefined> {
  const partition = await partitionNamed(deps.pool, name)
  const prove = await archived(deps)(partition)
  return deleteProven(deps, partition, [prove])
}

/** Deletes a partition once all of this is proved; returns why it must stay. */
export async function deleteProven(
  { pool, clock, steps = async () => undefined }: ArchiveDeps,
  partition: Partition,
  proofs: readonly Proof[],
): Promise<string | undefined> {
  try {
    const deps = { pool, steps, now: clock.now(), lockTimeoutMs: 2_000, timeframe: '1h' } as const
    await deletePartition(deps, partition, proofs)
    return undefined
  } catch (error) {
    const hold = holdOf(error)
    if (!hold) throw error
    return hold.reason
  }
}

/** Old notifications of a user; one in two was read, and titles need every kind of escape. */
export async function aUserWithNotifications(pool: Pool, count: number, createdAt: Instant): Promise<string> {
  const userId = randomUUID()
  await superuserOf(pool).query(
    `insert into users (id, email, password, created_at, updated_at, status, tier)
     values ($1::uuid, $1::text || '@example.org', 'hash', now(), now(), 'active', 'free')`,
    [userId],
  )
  await superuserOf(pool).query(
    `insert into notifications (id, user_id, type, title, message, created_at, read_at, source_id, source_type, priority)
     select gen_random_uuid(), $1, 'alert', 'a\\b' || chr(9) || '"it''s", ' || chr(10) || n, repeat('ü😀 ', n % 5),
       $2::timestamp + n * interval '1 second' + interval '1 microsecond',
       case when n % 2 = 0 then $2::timestamp end, case when n % 3 = 0 then gen_random_uuid() end, null, ''
     from generate_series(1, $3::integer) as n`,
    [userId, new Date(createdAt).toISOString(), count],
  )
  return userId
}

export const notificationsOf = async (pool: Pool, userId: string): Promise<string[]> => {
  const { rows } = await superuserOf(pool).query<{ row: string }>(
    `select notifications::text as row from notifications where user_id = $1 order by created_at`,
    [userId],
  )
  return rows.map(({ row }) => row)
}
