/**
 * A backfill from the replay exchange to committed rows, by the jobs that `beacon backfill` runs. Held against the script
 * that a user would write with ccxt and pg, and its files against its pages.
 */
import { Pool } from 'pg'
import { runBackfill } from '../../src/backfill.ts'
import { type Fleet, openFleet } from '../../src/fleet.ts'
import { planBackfill } from '../../src/ingest/backfill/plan.ts'
import { toInstant, toIso } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { readSettings } from '../../src/settings.ts'
import { listCoins } from '../../src/store/coins.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { atMs } from '../support/at.ts'
import { type Cost, costOf, rounds, scale } from './measure.ts'
import { minutesFrom, onReplay, type Replay, resetTracked, symbolAt } from './replayed.ts'
import { type Row, ratioRow } from './rows.ts'
import { benchStart, coinIdAt, onStage, type Stage } from './stage.ts'

/** The daemon's queues and workers, in this process. */
export async function withFleet<T>(
  stage: Pick<Stage, 'url' | 'pool'>,
  replay: Replay,
  work: (fleet: Fleet) => Promise<T>,
): Promise<T> {
  const releases = new Releases()
  const settings = readSettings({ ...replay, DATABASE_URL: stage.url, BEACON_BUDGET: 'unlimited' })
  const log = openLog({ level: 'error', pretty: false })
  const { signal } = new AbortController()
  try {
    const database = { url: stage.url, pool: stage.pool }
    return await work(await openFleet({ settings, database, log, clock: systemClock, releases, signal }, 0))
  } finally {
    await releases.release()
  }
}

type Extent = Readonly<{ coins: number; range: Range }>

/** What `beacon backfill` does for these coins, from the plan to the last commit. Returns the candles that are new. */
export async function backfill(
  fleet: Fleet,
  { coins, range }: Extent,
  archive: 'always' | 'never',
): Promise<number> {
  const { pool, settings, clock } = fleet.context
  const coinIds = Array.from({ length: coins }, (_, place) => coinIdAt(place))
  const request = { coinIds, timeframes: ['1m'], range, archive } as const
  const plan = await planBackfill(pool, settings, await listCoins(databaseOf(pool)), request, clock.now())
  if (plan.candles === 0) return 0
  const { signal } = new AbortController()
  const { remaining, ...result } = await runBackfill(fleet, plan, { signal, onProgress: () => undefined })
  if (remaining > 0)
    throw new Error(`${remaining} candles are still owed: ${JSON.stringify(result.failed[0])}`)
  return plan.candles
}

/** What a user would write in an afternoon. */
async function ccxtScript(stage: Stage, replay: Replay, { coins, range }: Extent): Promise<void> {
  const { default: ccxt } = await import('ccxt')
  const api = `${replay.BINANCE_BASE_URL}/api/v3`
  const exchange = new ccxt.binance({
    enableRateLimit: false,
    options: { fetchMarkets: { types: ['spot'] } },
  })
  exchange.urls.api = { ...exchange.urls.api, public: api }
  const pool = new Pool({ connectionString: stage.url })
  try {
    for (let place = 0; place < coins; place += 1) {
      const symbol = symbolAt(place).replace('USDT', '/USDT')
      for (let since: number = range.from; since < range.to; ) {
        const rows = await exchange.fetchOHLCV(symbol, '1m', since, 1_000)
        const wanted = rows.filter(([openTime]) => Number(openTime) < range.to)
        if (wanted.length === 0) break
        await insert(pool, coinIdAt(place), wanted)
        since = Number(rows.at(-1)?.[0]) + 60_000
      }
    }
  } finally {
    await pool.end()
  }
}

async function insert(
  pool: Pool,
  coinId: string,
  rows: readonly (readonly (number | undefined)[])[],
): Promise<void> {
  const places = rows.map(
    (_, row) => `(${Array.from({ length: 8 }, (_, column) => `$${8 * row + column + 1}`).join(', ')})`,
  )
  const values = rows.flatMap(([openTime, ...numbers]) => [
    coinId,
    '1m',
    toIso(toInstant(Number(openTime))),
    ...numbers,
  ])
  await pool.query(
    `insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume) values ${places.join(', ')}
     on conflict (coin_id, timeframe, timestamp) do update set open = excluded.open, high = excluded.high,
       low = excluded.low, close = excluded.close, volume = excluded.volume`,
    values,
  )
}

/** A million minutes of 50 coins. */
const extent: Extent = { coins: 50, range: minutesFrom(benchStart, Math.round(20_000 * scale)) }

/** A backfill against the script, and the same command once more against its first run. */
export const benchBackfills = (): Promise<Row[]> =>
  onReplay((replay) =>
    onStage((stage) => withFleet(stage, replay, (fleet) => measureBackfills(stage, replay, fleet))),
  )

async function measureBackfills(stage: Stage, replay: Replay, fleet: Fleet): Promise<Row[]> {
  const [first, again]: [Cost[], Cost[]] = [[], []]
  const script: Cost[] = []
  let candles = 0
  for (let round = 0; round < rounds; round += 1) {
    await resetTracked(stage, extent.coins, extent.range)
    script.push(await costOf(stage.server, () => ccxtScript(stage, replay, extent)))
    await resetTracked(stage, extent.coins, extent.range)
    first.push(
      await costOf(stage.server, async () => {
        candles = await backfill(fleet, extent, 'never')
      }),
    )
    const written = await tuplesWritten(stage)
    again.push(
      await costOf(stage.server, async () => {
        if ((await backfill(fleet, extent, 'never')) > 0) throw new Error('a finished backfill asked again')
      }),
    )
    if ((await tuplesWritten(stage)) !== written) throw new Error('a finished backfill wrote something')
  }
  const rows = candles.toLocaleString('en')
  return [
    ratioRow(
      {
        what: `backfill ${rows} candles over HTTP`,
        against: 'a script: ccxt fetchOHLCV, then insert … on conflict with pg',
        target: { speed: 8 },
        candles,
      },
      first,
      script,
    ),
    ratioRow(
      {
        what: 'the same command again: no request, nothing written',
        against: 'its first run',
        target: { speed: 100 },
      },
      again,
      first,
    ),
  ]
}

/** Rows that anybody has inserted, changed or deleted in the database, as far as its sessions have told. */
async function tuplesWritten({ pool }: Stage): Promise<number> {
  await pool.query('select pg_stat_force_next_flush()')
  const { rows } = await pool.query<{ written: string }>(
    `select sum(n_tup_ins + n_tup_upd + n_tup_del) as written from pg_stat_user_tables where schemaname = 'public'`,
  )
  return Number(rows[0]?.written)
}

/** A year of two coins; whole months of it, so that files alone can hold it. */
const yearDays = Math.max(31, Math.round(366 * scale))
const year: Extent = { coins: 2, range: minutesFrom(atMs(Date.UTC(2024, 0)), yearDays * 1_440) }

/** Zips of whole months against the pages of the same candles. */
export const benchArchive = (): Promise<Row[]> =>
  onReplay((replay) => onStage((stage) => withFleet(stage, replay, (fleet) => measureArchive(stage, fleet))))

async function measureArchive(stage: Stage, fleet: Fleet): Promise<Row[]> {
  const files: Cost[] = []
  const pages: Cost[] = []
  let candles = 0
  for (let round = 0; round < rounds; round += 1) {
    await resetTracked(stage, year.coins, year.range)
    pages.push(await costOf(stage.server, () => backfill(fleet, year, 'never')))
    await resetTracked(stage, year.coins, year.range)
    files.push(
      await costOf(stage.server, async () => {
        candles = await backfill(fleet, year, 'always')
      }),
    )
  }
  return [
    ratioRow(
      {
        what: `${yearDays} days of 1m of two coins from the archive's zips`,
        against: 'the same from the API, page by page',
        target: { speed: 2 },
        candles,
      },
      files,
      pages,
    ),
  ]
}
