/**
 * A backfill against what else one might write, as ratios against a baseline that runs in the same run on the same machine.
 * BENCH_DAYS (7 days of 1m candles of every replayed market) sizes it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { table } from '../../src/cli/terminal/table.ts'
import { unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import type { HttpClient } from '../../src/http/request.ts'
import { fillRange } from '../../src/ingest/fill-range.ts'
import { day, second, toInstant, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { openReplayExchange } from '../../src/replay/exchange.ts'
import { markets } from '../../src/replay/markets.ts'
import { steadyClock, systemClock } from '../../src/runtime/clock.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { binance } from '../../src/sources/binance.ts'
import { copyInto } from '../../src/store/candles/copy.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionsOf } from '../../src/store/partitions.ts'
import { openPool } from '../../src/store/pool.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { atMs, plus } from '../support/at.ts'
import { type Findings, median, rounds, seconds } from './measure.ts'

const days = Number(process.env.BENCH_DAYS ?? 7)
const from = atMs(Date.UTC(2024, 2, 1))
const range: AlignedRange = { from, to: plus(from, days * day) }

type Bench = Readonly<{ name: string; against: string; ours(): Promise<number>; baseline(): Promise<number> }>
type Stage = Readonly<{ pool: Pool; settings: Settings; http: HttpClient }>

async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'beacon-bench-'))
  const log = openLog({ level: 'error', pretty: false })
  const exchange = await openReplayExchange({ clock: systemClock, limits: 'none' })
  const server = await openEmbeddedPostgres({ dataDir: join(dir, 'postgres'), log })
  const settings = readSettings({ BINANCE_BASE_URL: exchange.urlOf('binance') })
  const http = openHttpClient({
    clock: systemClock,
    budget: unlimitedBudget,
    timeoutMs: 60 * second,
    maxBodyBytes: 20_000_000,
  })
  const pool = openPool(server.url, settings.database, (error) =>
    log.error('database.connection-lost', { reason: error.message }),
  )
  try {
    await migrateUp(server.url)
    return await work({ pool, settings, http })
  } finally {
    http.close()
    await pool.end()
    await server.release()
    await exchange.close()
    await rm(dir, { recursive: true, force: true })
  }
}

/** An empty history: coins, partitions of the range, nothing else. */
async function reset({ pool, settings }: Stage): Promise<void> {
  await pool.query(
    'truncate ohlcv_data, candle_coverage, candle_revisions, quarantined_rows, coins, market_data, instruments',
  )
  for (const { coinId, base, coinName } of markets) {
    await pool.query(
      'insert into coins (id, symbol, name, created_at, updated_at) values ($1, $2, $3, $4, $4)',
      [coinId, base, coinName, toIso(from)],
    )
  }
  const tableOf1m = candleTable('1m', 'day')
  await ensurePartitions(pool, tableOf1m, partitionsOf(tableOf1m, range), settings.database.lockTimeout)
  await pool.query('checkpoint')
}

/** Every market from the exchange to committed rows, one after another. */
async function backfill({ pool, settings, http }: Stage): Promise<void> {
  for (const { coinId, symbol } of markets) {
    await fillRange(
      {
        pool,
        settings,
        http,
        clock: systemClock,
        steadyClock,
        signal: new AbortController().signal,
        runId: '00000000-0000-4000-8000-000000000000',
        partitions: new Map(),
      },
      {
        series: { coinId, timeframe: '1m', source: 'binance' },
        source: binance,
        symbol,
        range,
        lane: 'backfill',
      },
    )
  }
}

/** What a user would write in an afternoon: ask for a page, parse it, insert its rows, on conflict update. */
async function script({ pool, settings }: Stage): Promise<void> {
  for (const { coinId, symbol } of markets) {
    for (let at: number = range.from; at < range.to; at += 1_000 * 60_000) {
      const end = Math.min(at + 1_000 * 60_000, range.to) - 1
      const url = `${settings.environment.baseUrls.binance}/api/v3/klines?symbol=${symbol}&interval=1m&startTime=${at}&endTime=${end}&limit=1000`
      const rows = (await (await fetch(url)).json()) as string[][]
      if (rows.length === 0) continue
      const places = rows.map(
        (_, index) =>
          `($${8 * index + 1}, $${8 * index + 2}, $${8 * index + 3}, $${8 * index + 4}, $${8 * index + 5}, $${8 * index + 6}, $${8 * index + 7}, $${8 * index + 8})`,
      )
      const values = rows.flatMap((row) => [
        coinId,
        '1m',
        toIso(toInstant(Number(row[0]))),
        ...row.slice(1, 6),
      ])
      await pool.query(
        `insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume) values ${places.join(', ')}
         on conflict (coin_id, timeframe, timestamp) do update set open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume`,
        values,
      )
    }
  }
}

/** The rows of the table as COPY text, and how long one COPY of them takes into the same, empty, partitioned table. */
async function plainCopy(stage: Stage): Promise<number> {
  const { rows } = await stage.pool.query<{ line: string }>(
    `select concat_ws(e'\\t', coin_id, timeframe, timestamp, open, high, low, close, volume) as line from ohlcv_data order by timestamp, coin_id`,
  )
  await reset(stage)
  const columns = ['coin_id', 'timeframe', 'timestamp', 'open', 'high', 'low', 'close', 'volume']
  return seconds(() =>
    inTransaction(stage.pool, (tx) =>
      copyInto(
        tx,
        'ohlcv_data',
        columns,
        rows.map(({ line }) => line),
      ),
    ),
  )
}

const benchesOn = (stage: Stage): Bench[] => [
  {
    name: 'backfill over HTTP into the empty table, with coverage and checks',
    against: 'a script: fetch a page, multi-row insert … on conflict',
    ours: async () => {
      await reset(stage)
      return seconds(() => backfill(stage))
    },
    baseline: async () => {
      await reset(stage)
      return seconds(() => script(stage))
    },
  },
  {
    name: 'the same, every row already there and asked for again',
    against: 'the same script again',
    ours: async () => {
      await reset(stage)
      await backfill(stage)
      return seconds(() => backfill(stage))
    },
    baseline: async () => {
      await reset(stage)
      await script(stage)
      return seconds(() => script(stage))
    },
  },
  {
    name: 'backfill over HTTP into the empty table, with coverage and checks',
    against: 'one bare COPY of the finished rows: no HTTP, no parsing, no coverage',
    ours: async () => {
      await reset(stage)
      return seconds(() => backfill(stage))
    },
    baseline: async () => {
      await reset(stage)
      await backfill(stage)
      return plainCopy(stage)
    },
  },
]

async function measure({ name, against, ours, baseline }: Bench) {
  const measured: number[] = []
  const compared: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    measured.push(await ours())
    compared.push(await baseline())
  }
  return {
    name,
    against,
    seconds: median(measured),
    baselineSeconds: median(compared),
    speed: median(compared) / median(measured),
  }
}

/** Every bench of it, one after another. */
export async function benchBackfill(): Promise<Findings> {
  const results = await onStage(async (stage) => {
    const measured = []
    for (const bench of benchesOn(stage)) measured.push(await measure(bench))
    return measured
  })
  return {
    text: table(results, [
      { title: 'what', of: ({ name }) => name },
      { title: 'against', of: ({ against }) => against },
      { title: 'seconds', of: (result) => result.seconds.toFixed(2), align: 'right' },
      { title: 'baseline', of: ({ baselineSeconds }) => baselineSeconds.toFixed(2), align: 'right' },
      { title: 'speed', of: ({ speed }) => `${speed.toFixed(2)} ×`, align: 'right' },
    ]),
    json: { rounds, days, markets: markets.length, results },
  }
}
