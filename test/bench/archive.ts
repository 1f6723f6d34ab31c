/**
 * How fast a partition of candles becomes a verified archive, and how small, against `COPY … TO STDOUT` piped into zstd (or
 * gzip where there is no such program): nothing of that is read back, and nothing can be asked without unpacking all of it.
 * BENCH_ROWS (1000000) says how many candles the partition holds.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { access, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Client, Pool } from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { bytesText, countText } from '../../src/cli/terminal/output.ts'
import { table } from '../../src/cli/terminal/table.ts'
import { archivePartition, discard } from '../../src/lifecycle/archive/archive-partition.ts'
import { compression } from '../../src/lifecycle/archive/parquet/compression.ts'
import { verifyArchive } from '../../src/lifecycle/archive/verify-archive.ts'
import { type Instant, toInstant } from '../../src/market/instant.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { readSettings } from '../../src/settings.ts'
import { upsertCoin } from '../../src/store/coins.ts'
import { listPartitions, type Partition } from '../../src/store/lifecycle/list-partitions.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionAt } from '../../src/store/partitions.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { type Findings, median, rounds, seconds } from './measure.ts'

const rows = Number(process.env.BENCH_ROWS ?? 1_000_000)
const hours = 744
const month: Instant = toInstant(Date.UTC(2024, 2, 1))

type Finding = Readonly<{ way: string; seconds: number; rowsPerSecond: number; bytesPerRow: number }>

export async function benchArchive(): Promise<Findings> {
  const dataDir = await mkdtemp(join(tmpdir(), 'beacon-bench-'))
  const log = openLog({ level: 'silent', pretty: false })
  const server = await openEmbeddedPostgres({ dataDir: join(dataDir, 'postgres'), log })
  try {
    await migrateUp(server.url)
    const pool = new Pool({ connectionString: server.url })
    try {
      return await measure(pool, server.url, dataDir)
    } finally {
      await pool.end()
    }
  } finally {
    await server.release()
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function measure(pool: Pool, url: string, dataDir: string): Promise<Findings> {
  const partition = await fill(pool)
  const settings = readSettings({ BEACON_DATA_DIR: dataDir })
  const deps = { pool, settings, clock: systemClock }
  const program = (await isInstalled('zstd')) ? 'zstd' : 'gzip'
  const [archiving, verifying, piping]: [number[], number[], number[]] = [[], [], []]
  let [archiveBytes, pipedBytes, mostStallMs] = [0, 0, 0]
  const stalls = monitorEventLoopDelay({ resolution: 10 })
  for (let round = 0; round < rounds; round += 1) {
    stalls.reset()
    stalls.enable()
    let archive: Awaited<ReturnType<typeof archivePartition>> | undefined
    archiving.push(
      await seconds(async () => {
        archive = await archivePartition(deps, partition)
      }),
    )
    stalls.disable()
    mostStallMs = Math.max(mostStallMs, stalls.max / 1e6)
    const made = archive
    if (!made) continue
    archiveBytes = made.written?.bytes ?? 0
    verifying.push(await seconds(() => verifyArchive(settings, made)))
    await discard(deps, made)
    const path = join(dataDir, `copy.${program}`)
    piping.push(await seconds(() => pipeCopy(url, partition.name, program, path)))
    pipedBytes = (await stat(path)).size
  }
  const findings = [
    found(`archived and verified (Parquet, ${compression.codec.toLowerCase()})`, archiving, archiveBytes),
    found('the verifying alone', verifying, archiveBytes),
    found(`COPY TO piped into ${program}`, piping, pipedBytes),
  ]
  const memory = `At most ${bytesText(process.resourceUsage().maxRSS * 1_000)} of memory; nothing else waited longer than ${Math.round(mostStallMs)} ms.`
  return {
    text: [
      `${countText(rows)} candles in one partition, the median of ${rounds} rounds.`,
      '',
      table(findings, [
        { title: 'way', of: ({ way }) => way },
        { title: 'seconds', of: (finding) => finding.seconds.toFixed(1), align: 'right' },
        { title: 'rows/s', of: ({ rowsPerSecond }) => countText(rowsPerSecond), align: 'right' },
        { title: 'bytes/row', of: ({ bytesPerRow }) => bytesPerRow.toFixed(1), align: 'right' },
      ]),
      '',
      memory,
    ].join('\n'),
    json: {
      bench: 'archive',
      rows,
      rounds,
      findings,
      mostStallMs,
      maxRssBytes: process.resourceUsage().maxRSS * 1_000,
    },
  }
}

function found(way: string, took: readonly number[], bytes: number): Finding {
  const spent = median(took)
  return { way, seconds: spent, rowsPerSecond: Math.round(rows / spent), bytesPerRow: bytes / rows }
}

/** Random walks with the digits that exchanges give: what repeats itself would flatter either way. */
async function fill(pool: Pool): Promise<Partition> {
  const candles = candleTable('1h', 'month')
  const plan = partitionAt(candles, month)
  await ensurePartitions(pool, candles, [plan], 2_000)
  const coins = Math.ceil(rows / hours)
  for (let coin = 0; coin < coins; coin += 1) {
    await upsertCoin(databaseOf(pool), `coin-${coin}`, { symbol: 'C', name: 'C' }, month)
  }
  await pool.query(
    `insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume)
     select 'coin-' || coin, '1h', timestamp '2024-03-01' + hour * interval '1 hour',
       round(open, digits), round(greatest(open, close) * (1 + spread), digits), round(least(open, close) * (1 - spread), digits),
       round(close, digits), volume
     from (
       select coin, hour, coin % 6 + 1 as digits, price * (1 + (random() - 0.5)::numeric / 100) as open, price as close,
         (random() / 100)::numeric as spread, round((random() * 100000)::numeric, coin % 4 + 1) as volume
       from (
         select coin, hour, (10 ^ (coin % 5) * exp(sum((random() - 0.5) / 50) over (partition by coin order by hour)))::numeric as price
         from generate_series(0, $1 - 1) as coin, generate_series(0, $2 - 1) as hour
         limit $3
       ) as walk
     ) as candle`,
    [coins, hours, rows],
  )
  await pool.query('vacuum analyze ohlcv_data')
  const [partition] = await listPartitions(pool, [candles.name])
  if (!partition) throw new Error(`there is no partition ${plan.name}`)
  return partition
}

async function isInstalled(program: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = await Promise.allSettled(folders.map((folder) => access(join(folder, program))))
  return found.some(({ status }) => status === 'fulfilled')
}

async function pipeCopy(url: string, partition: string, program: string, path: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const packing = spawn(program, ['-c'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(packing, 'close')
  try {
    const rowsOut: Readable = client.query(
      copyTo(`copy (select * from ${partition} order by coin_id, timeframe, timestamp) to stdout`),
    )
    await Promise.all([pipeline(rowsOut, packing.stdin), pipeline(packing.stdout, createWriteStream(path))])
    await ended
  } finally {
    await client.end()
  }
}
