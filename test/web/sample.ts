import type { Pool } from 'pg'
import { toDecimal } from '../../src/market/decimal.ts'
import { hour, type Instant, minute, second, toIso } from '../../src/market/instant.ts'
import { floorTo, type Timeframe, timeframeMs, timeframes } from '../../src/market/timeframe.ts'
import type { Settings } from '../../src/settings.ts'
import { trackConfigured } from '../../src/store/coins.ts'
import type { Series } from '../../src/store/coverage.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { partitionedTables, partitionsAhead } from '../../src/store/partitions.ts'
import { loadPrices } from '../../src/store/prices.ts'
import { finishRun, type RunEnd, startRun } from '../../src/store/runs.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { writeCoverage } from '../store/loading.ts'
import { plus } from '../support/at.ts'

/** Follows the configured coins and makes the partitions of `now`. */
export async function settle(pool: Pool, settings: Settings, now: Instant): Promise<void> {
  await inTransaction(pool, (tx) => trackConfigured(tx, settings.coins, plus(now, -24 * hour)))
  for (const table of partitionedTables(settings)) {
    await ensurePartitions(pool, table, partitionsAhead(table, now, 2), 2_000)
  }
}

/** Records the series as stored from the beginning of its history up to so many candles before `now`. */
export function storeSeries(
  pool: Pool,
  settings: Settings,
  { coinId, timeframe, source = 'binance' }: Omit<Series, 'source'> & { source?: Series['source'] },
  now: Instant,
  candlesMissing = 0,
): Promise<void> {
  const lengthMs = timeframeMs[timeframe]
  const to = plus(floorTo(timeframe, now), -candlesMissing * lengthMs)
  const from = plus(floorTo(timeframe, now), -(settings.timeframes[timeframe]?.history ?? 0) - lengthMs)
  const findings = { stored: [{ from, to }], 'no-trades': [], refused: [] }
  return inTransaction(pool, ({ db }) => writeCoverage(db, { coinId, timeframe, source }, findings, now))
}

/** Every series of every coin, whole and up to date. */
export async function storeEverything(pool: Pool, settings: Settings, now: Instant): Promise<void> {
  for (const { id } of settings.coins) {
    for (const timeframe of trackedTimeframes(settings)) {
      await storeSeries(pool, settings, { coinId: id, timeframe }, now)
    }
  }
}

export const trackedTimeframes = (settings: Settings): Timeframe[] =>
  timeframes.filter((timeframe) => settings.timeframes[timeframe])

/** Price, change, volume and market cap as they were one day. */
const quotes: Readonly<Record<string, readonly [string, string, string, string, number]>> = {
  bitcoin: ['62437.18', '1.94', '38214889120', '1226483012840', 1],
  ethereum: ['3421.07', '2.51', '19044120384', '411022938401', 2],
  ripple: ['0.58741', '-0.82', '2240183377', '32104882910', 6],
  dogecoin: ['0.131954', '12.36', '4012774921', '18938827102', 9],
  'shiba-inu': ['0.00001284', '9.07', '1783349020', '7566203941', 18],
  pepe: ['0.00000318', '-4.15', '921884010', '1338920147', 64],
}

export async function storePrices(pool: Pool, settings: Settings, at: Instant): Promise<void> {
  const priced = settings.coins.flatMap(({ id, symbol, name }) => {
    const quote = quotes[id]
    if (!quote) return []
    const [price, change24h, volume24h, marketCap, rank] = quote
    return [
      {
        coinId: id,
        price: {
          market: id,
          timestamp: at,
          price: toDecimal(price),
          change24h: toDecimal(change24h),
          volume24h: toDecimal(volume24h),
          marketCap: toDecimal(marketCap),
          rank,
          coin: { symbol, name },
        },
      },
    ]
  })
  await inTransaction(pool, (tx) => loadPrices(tx, priced))
}

type SampleRun = Readonly<{
  job: string
  queue?: string
  payload?: object
  startedAt: Instant
  tookMs?: number
  end?: RunEnd
  attempt?: number
}>

let runs = 0

/** Records a run as a worker would; without an end it is running. */
export async function storeRun(
  pool: Pool,
  { job, queue = 'binance', payload = {}, startedAt, tookMs = 700, end, attempt = 1 }: SampleRun,
): Promise<void> {
  runs += 1
  const db = databaseOf(pool)
  const id = await startRun(db, { job, queue, jobId: `run-${runs}`, attempt, payload, startedAt })
  if (end) await finishRun(db, id, end, plus(startedAt, tookMs))
}

export const done = (outcome: object): RunEnd => ({ status: 'done', outcome })
export const failed = (error: string, willRetry = false): RunEnd => ({ status: 'failed', error, willRetry })

/** What a daemon shows that has been up for a while: mostly well, one coin still filling, one page that failed once. */
export async function storeOrdinaryDay(pool: Pool, settings: Settings, now: Instant): Promise<void> {
  await settle(pool, settings, now)
  await storeEverything(pool, settings, now)
  await storePrices(pool, settings, plus(now, -42 * second))
  const counted = (received: number, added: number, revised = 0, quarantined = 0) =>
    done({
      received,
      new: added,
      revised,
      unchanged: received - added - revised - quarantined,
      quarantined,
    })
  const minuteAgo = (minutes: number) => plus(floorTo('1m', now), -minutes * minute + 3_004)
  for (const ago of [6, 5, 4, 3, 2, 1, 0]) {
    await storeRun(pool, {
      job: 'ingest-candles',
      payload: { source: 'binance', timeframe: '1m' },
      startedAt: minuteAgo(ago),
      tookMs: 610 + 37 * ago,
      end: counted(18, 6, ago === 3 ? 1 : 0),
    })
  }
  await storeRun(pool, {
    job: 'ingest-candles',
    payload: { source: 'binance', timeframe: '5m' },
    startedAt: plus(minuteAgo(4), 12),
    tookMs: 702,
    end: counted(18, 6),
  })
  await storeRun(pool, {
    job: 'ingest-candles',
    payload: { source: 'binance', timeframe: '1h' },
    startedAt: minuteAgo(34),
    tookMs: 1_240,
    end: counted(18, 6),
  })
  for (const ago of [1, 2, 3]) {
    await storeRun(pool, {
      job: 'ingest-prices',
      queue: 'coingecko',
      startedAt: plus(minuteAgo(ago), 17_000),
      tookMs: 480 + 60 * ago,
      end: done({ received: 6, new: 6, unchanged: 0, quarantined: 0, requests: 1 }),
    })
  }
  const backfill = (coinId: string, symbol: string, from: string, to: string) => ({
    job: 'backfill-candles',
    payload: { source: 'binance', symbol, coinId, timeframe: '1m', from, to },
  })
  await storeRun(pool, {
    ...backfill('pepe', 'PEPEUSDT', '2024-02-24T00:00:00Z', '2024-02-27T11:20:00Z'),
    startedAt: plus(now, -95 * second),
    tookMs: 3_420,
    end: counted(5_000, 4_998, 0, 2),
  })
  await storeRun(pool, {
    ...backfill('dogecoin', 'DOGEUSDT', '2024-02-20T00:00:00Z', '2024-02-23T11:20:00Z'),
    startedAt: plus(now, -170 * second),
    tookMs: 20_004,
    end: failed('https://api.binance.com did not answer within 20 s', true),
  })
  await storeRun(pool, {
    ...backfill('dogecoin', 'DOGEUSDT', '2024-02-20T00:00:00Z', '2024-02-23T11:20:00Z'),
    startedAt: plus(now, -146 * second),
    attempt: 2,
    tookMs: 3_180,
    end: counted(5_000, 5_000),
  })
  await storeRun(pool, {
    job: 'ensure-partitions',
    queue: 'maintenance',
    startedAt: plus(floorTo('1h', now), 40 * second),
    tookMs: 96,
    end: done({ made: [] }),
  })
  await storeRun(pool, {
    job: 'refresh-views',
    queue: 'maintenance',
    payload: { view: 'daily_price_summary' },
    startedAt: plus(floorTo('1d', now), 5 * minute),
    tookMs: 1_871,
    end: done({ view: 'daily_price_summary' }),
  })
}

/** Samples of the database, one a minute for an hour. */
export async function storeSamples(
  pool: Pool,
  now: Instant,
  { cacheHitRatio = 0.99 }: Readonly<{ cacheHitRatio?: number }> = {},
): Promise<void> {
  await pool.query(
    `insert into database_samples (sampled_at, average_query_ms, ping_ms, cache_hit_ratio, index_scan_ratio, connections_active,
       connections_idle, connections_waiting, connections_max, database_bytes, disk_free_bytes, counters)
     select $1::timestamp - n * interval '1 minute', 2 + n % 7, 0.3, $2::float8, 0.9, n % 3, 12, 0, 100, 40e6 - n * 1e3, 80e9, '{}'
     from generate_series(1, 60) as n`,
    [toIso(now), cacheHitRatio],
  )
}

/** So many coins, tracked for a year and complete up to `now`. */
export async function storeYear(
  pool: Pool,
  coins: number,
  now: Instant,
  stored: readonly Timeframe[] = ['1m', '5m', '1h', '1d'],
): Promise<void> {
  const numbers = `generate_series(1, ${coins}) as n`
  const year = `'${toIso(plus(now, -366 * 24 * hour))}'::timestamp`
  await pool.query(`
    insert into coins (id, symbol, name, created_at, updated_at)
    select 'coin-' || n, 'C' || n, 'Coin ' || n, ${year}, ${year} from ${numbers};
    insert into instruments (coin_id, source, symbol, preference, tracked_from)
    select 'coin-' || n, 'binance', 'C' || n || 'USDT', 0, ${year} from ${numbers};
    insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at)
    select 'coin-' || n, timeframe, 'binance', 'stored',
      tsmultirange(tsrange(date_trunc('day', ${year}), date_bin(timeframe::interval, '${toIso(now)}'::timestamp, '1970-01-01'))), ${year}
    from ${numbers}, unnest(array[${stored.map((timeframe) => `'${timeframe}'`).join()}]) as timeframe`)
}

/** Prices of the coins of `storeYear`. */
export async function storeYearPrices(pool: Pool, settings: Settings, now: Instant): Promise<void> {
  for (const table of partitionedTables(settings))
    await ensurePartitions(pool, table, partitionsAhead(table, now, 2), 2_000)
  await pool.query(
    `insert into market_data (coin_id, timestamp, price, change_24h, volume_24h, market_cap, rank)
     select id, $1::timestamp, 10 + row_number() over (), 1.5, 1e6, 1e9, row_number() over () from coins`,
    [toIso(now)],
  )
}
