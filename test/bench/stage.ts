import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { toInstant, toIso } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Context } from '../../src/runtime/context.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { readSettings } from '../../src/settings.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionsOf } from '../../src/store/partitions.ts'
import { openPool } from '../../src/store/pool.ts'
import { type ServerTime, serverTime } from './server-time.ts'

/** The first minute that the benches speak of: a past that every replayed market has. */
export const benchStart = floorTo('1d', toInstant(Date.UTC(2024, 2, 1)))

/** The bundled server as the daemon itself runs it, on new data. */
export type Stage = Readonly<{
  url: string
  pool: Pool
  server: ServerTime
  /** A folder that is removed at the end. */
  folder: string
  /** What a load reaches, on this server. */
  deps: Pick<Context, 'pool' | 'settings' | 'clock' | 'partitions' | 'runId'>
}>

export const runId = '00000000-0000-4000-8000-000000000000'

export async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const releases = new Releases()
  try {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-bench-'))
    releases.push(() => rm(folder, { recursive: true, force: true }))
    const log = openLog({ level: 'error', pretty: false })
    const server = await openEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log })
    releases.push(() => server.release())
    const settings = readSettings({})
    const pool = openPool(server.url, settings.database, (error) =>
      log.error('database.connection-lost', { reason: error.message }),
    )
    releases.push(() => pool.close())
    await migrateUp(server.url)
    const deps = { pool, settings, clock: systemClock, partitions: new Map(), runId }
    return await work({ url: server.url, pool, server: await serverTime(pool), folder, deps })
  } finally {
    await releases.release()
  }
}

export const coinIdAt = (place: number): string => `coin-${String(place).padStart(4, '0')}`

/** An empty history: so many coins, the 1m partitions of the range, nothing else, and nothing left to be written out. */
export async function reset(
  { pool, deps: { settings, partitions } }: Stage,
  coins: number,
  range: Range,
): Promise<void> {
  await pool.query('truncate coins cascade')
  await pool.query(
    `insert into coins (id, symbol, name, created_at, updated_at)
     select id, 'COIN', 'A coin', $2, $2 from unnest($1::text[]) as id`,
    [Array.from({ length: coins }, (_, place) => coinIdAt(place)), toIso(range.from)],
  )
  partitions.clear()
  const table = candleTable('1m', 'day')
  await ensurePartitions(pool, table, partitionsOf(table, range), settings.database.lockTimeout)
  await pool.query('checkpoint')
}
