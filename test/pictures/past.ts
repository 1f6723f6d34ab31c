import type { Pool } from 'pg'
import { day, hour, type Instant, minute, plus, toIso } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import type { Clock } from '../../src/runtime/clock.ts'

type Deps = Readonly<{ pool: Pool; clock: Clock }>

/** What a daemon that has just been started cannot have: a day of samples of its database, and an alert that is over. */
export async function storePast({ pool, clock }: Deps): Promise<void> {
  const now = floorTo('1m', clock.now())
  const { rowCount } = await pool.query('select 1 from database_samples where sampled_at < $1', [
    toIso(plus(now, -hour)),
  ])
  // The folder was kept.
  if (rowCount !== 0) return
  await storeSamples(pool, now)
  // As the server does by itself, sooner or later.
  await pool.query('analyze')
  await pool.query(
    `insert into incidents (key, message, opened_at, resolved_at) values
       ('source.slow-down coingecko', 'coingecko rate-limits this address.', $1, $2),
       ('series.stale', '4 series are stale: pepe 1m has had no candle for 6 minutes.', $3, $4)`,
    [
      plus(now, -9 * hour),
      plus(now, -9 * hour + 4 * minute),
      plus(now, -20 * hour),
      plus(now, -20 * hour + 11 * minute),
    ].map(toIso),
  )
}

/** Quiet at night, busy by day, and a little uneven: the same whenever it is drawn. */
async function storeSamples(pool: Pool, now: Instant): Promise<void> {
  // Those that were taken while the folder was being filled are of another day.
  await pool.query('delete from database_samples')
  const from = plus(now, -day)
  const { rows } = await pool.query<{ bytes: string }>('select pg_database_size(current_database()) as bytes')
  const bytes = Number(rows[0]?.bytes)
  const wave = (number: number, period: number) => Math.sin((2 * Math.PI * number) / period)
  for (let number = 0; number <= day / minute; number += 5) {
    const load = 1 + 0.4 * wave(number, 1_440) + 0.15 * wave(number, 97) + 0.1 * wave(number, 61)
    await pool.query(
      `insert into database_samples (sampled_at, average_query_ms, ping_ms, cache_hit_ratio, index_scan_ratio,
         connections_active, connections_idle, connections_waiting, connections_max, database_bytes, disk_free_bytes, counters)
       values ($1, $2, 0.2, $3, $4, $5, $6, 0, 200, $7, $8, $9) on conflict do nothing`,
      [
        toIso(plus(from, number * minute)),
        3.1 * load,
        1 - 0.004 * load,
        0.9 + 0.03 * wave(number, 240),
        Math.round(2 * load),
        14 + Math.round(3 * load),
        Math.round(bytes - 900 * (day / minute - number)),
        81e9,
        { activeMs: 0, transactions: 0, blocksHit: 0, blocksRead: 0, indexScans: 0, tableScans: 0 },
      ],
    )
  }
}
