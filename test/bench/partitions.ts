/**
 * What a thousand daily partitions cost the planner, and what dropping a day costs against deleting its rows, for days of
 * very different sizes.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { countText } from '../../src/cli/terminal/output.ts'
import { table } from '../../src/cli/terminal/table.ts'
import { day, type Instant, plus, toInstant, toIso } from '../../src/market/instant.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { deletePartitions } from '../../src/store/lifecycle/delete-partitions.ts'
import { listPartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionAt, partitionsOf } from '../../src/store/partitions.ts'
import { type Findings, median, rounds, scale, seconds } from './measure.ts'

const partitions = 1_000
const minuteTable = candleTable('1m', 'day')
const first = toInstant(Date.UTC(2021, 0, 1))

/** Rows of the days that are let go of: a coin's day, ten, a hundred and a thousand of them. */
const sizes = [1, 10, 100, 1_000].map((coins) => Math.round(coins * 1_440 * scale))

/** One query over one day, as the hub asks for it. */
const oneDay = `
  select * from ohlcv_data where coin_id = 'coin-1' and timeframe = '1m'
    and timestamp >= '2022-06-01' and timestamp < '2022-06-02' order by timestamp`

type Drop = Readonly<{ rows: number; dropMs: number; deleteMs: number }>

export async function benchPartitions(): Promise<Findings> {
  const dir = await mkdtemp(join(tmpdir(), 'beacon-bench-'))
  const log = openLog({ level: 'silent', pretty: false })
  const server = await openEmbeddedPostgres({ dataDir: join(dir, 'postgres'), log })
  const pool = new Pool({ connectionString: server.url })
  try {
    await migrateUp(server.url)
    await pool.query(
      `insert into coins (id, symbol, name, created_at, updated_at)
       select 'coin-' || n, 'C', 'Coin', now(), now() from generate_series(1, 1000) as n`,
    )
    const plans = partitionsOf(minuteTable, { from: first, to: plus(first, partitions * day) })
    const making = await seconds(() => ensurePartitions(pool, minuteTable, plans, 2_000))
    const planning = await planningMs(pool)
    const drops: Drop[] = []
    for (const rows of sizes) drops.push(await measureDrop(pool, rows))
    return {
      text: [
        `${countText(partitions)} daily partitions, made in ${making.toFixed(1)} s: a query over one day is planned in ${planning.toFixed(2)} ms (median of ${rounds * 20})`,
        dropTable(drops),
      ].join('\n\n'),
      json: { partitions, makingSeconds: making, planningMs: planning, drops },
    }
  } finally {
    await pool.end()
    await server.release()
    await rm(dir, { recursive: true, force: true })
  }
}

const dropTable = (drops: readonly Drop[]): string =>
  table(drops, [
    { title: 'rows of the day', of: ({ rows }) => countText(rows), align: 'right' },
    { title: 'drop', of: ({ dropMs }) => `${dropMs.toFixed(0)} ms`, align: 'right' },
    { title: 'delete', of: ({ deleteMs }) => `${deleteMs.toFixed(0)} ms`, align: 'right' },
    { title: 'ratio', of: ({ dropMs, deleteMs }) => (deleteMs / dropMs).toFixed(1), align: 'right' },
  ])

/** As the server says, once the session knows the table: what every query of a pool pays. */
async function planningMs(pool: Pool): Promise<number> {
  const client = await pool.connect()
  try {
    const took: number[] = []
    for (let round = 0; round <= rounds * 20; round += 1) {
      const { rows } = await client.query<{ 'QUERY PLAN': [{ 'Planning Time': number }] }>(
        `explain (format json, summary) ${oneDay}`,
      )
      took.push(rows[0]?.['QUERY PLAN'][0]['Planning Time'] ?? Number.NaN)
    }
    return median(took.slice(1))
  } finally {
    client.release()
  }
}

/** Two days of the same size a round: one goes as retention lets go of it, the other row by row. */
async function measureDrop(pool: Pool, rows: number): Promise<Drop> {
  const dropped: number[] = []
  const deleted: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const gone = plus(first, 2 * round * day)
    const emptied = plus(gone, day)
    for (const from of [gone, emptied]) await fill(pool, from, rows)
    dropped.push((await seconds(() => letGo(pool, gone))) * 1_000)
    deleted.push(
      (await seconds(() =>
        pool.query(
          `delete from ohlcv_data where timeframe = '1m' and timestamp >= '${toIso(emptied)}' and timestamp < '${toIso(plus(emptied, day))}'`,
        ),
      )) * 1_000,
    )
    await pool.query(`truncate ${partitionAt(minuteTable, emptied).name}`)
  }
  return { rows, dropMs: median(dropped), deleteMs: median(deleted) }
}

async function fill(pool: Pool, from: Instant, rows: number): Promise<void> {
  await ensurePartitions(pool, minuteTable, [partitionAt(minuteTable, from)], 2_000)
  await pool.query(
    `insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume)
     select 'coin-' || (1 + n / 1440), '1m', '${toIso(from)}'::timestamp + n % 1440 * interval '1 minute', 10, 12, 9, 11, 100
     from generate_series(0, ${rows - 1}) as n`,
  )
}

async function letGo(pool: Pool, at: Instant): Promise<void> {
  const { name } = partitionAt(minuteTable, at)
  const partitions = (await listPartitions(pool, [minuteTable.name])).filter((one) => one.name === name)
  const deps = { pool, lockTimeoutMs: 2_000, steps: async () => {}, now: systemClock.now() }
  await deletePartitions({ ...deps, timeframe: minuteTable.timeframe }, partitions)
}
