import { type SQL, sql } from 'drizzle-orm'
import { day, type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { Database } from '../transaction.ts'
import { type Partition, relationOf } from './list-partitions.ts'
import { PartitionHeld } from './partition-holds.ts'
import type { Safekeeping } from './safekeeping.ts'

const values = [
  'open',
  'high',
  'low',
  'close',
  'average_price',
  'market_cap',
  'volume_24h',
  'rank',
  'circulating_supply',
  'max_supply',
  'samples',
  'first_at',
  'last_at',
] as const

const listed = (of?: string): SQL =>
  sql.raw(values.map((name) => (of === undefined ? name : `${of}.${name}`)).join(', '))

/** The day's last known value. */
const lastKnown = (name: string): SQL =>
  sql.raw(`(array_agg(${name} order by timestamp desc) filter (where ${name} is not null))[1] as ${name}`)

const inRange = ({ from, to }: Range): SQL =>
  sql`timestamp >= ${toIso(from)}::timestamp and timestamp < ${toIso(to)}::timestamp`

/** One row per coin and UTC day, in exact decimals. */
const computed = (relation: SQL, range: Range): SQL => sql`
  select coin_id, timestamp::date as day,
    (array_agg(price order by timestamp))[1] as open, max(price) as high, min(price) as low,
    (array_agg(price order by timestamp desc))[1] as close, round(avg(price), 8) as average_price,
    ${lastKnown('market_cap')}, ${lastKnown('volume_24h')}, ${lastKnown('rank')},
    ${lastKnown('circulating_supply')}, ${lastKnown('max_supply')},
    count(*)::integer as samples, min(timestamp) as first_at, max(timestamp) as last_at
  from ${relation}
  where ${inRange(range)}
  group by coin_id, timestamp::date`

type Prices = Pick<Partition, 'schema' | 'name' | 'range'>

/** Writes the daily prices of a partition; idempotent. A finalized day, whose prices were deleted, does not change. */
export const rollUp = (db: Database, prices: Prices) =>
  db.execute(sql`
    insert into market_data_daily (coin_id, day, ${listed()})
    select coin_id, day, ${listed()} from (${computed(relationOf(prices), prices.range)}) as prices
    on conflict (coin_id, day) do update set (${listed()}) = (${listed('excluded')})
      where market_data_daily.finalized_at is null
        and (${listed('market_data_daily')}) is distinct from (${listed('excluded')})`)

/**
 * Throws PartitionHeld if a stored day differs from its prices. For a finalized day the prices may be a subset, loaded
 * again.
 */
export async function proveRollUp(db: Database, prices: Prices): Promise<void> {
  const { rows } = await db.execute<{ differing: number; first: string | null }>(sql`
    select count(*)::integer as differing, min(prices.day || ' of ' || prices.coin_id) as first
    from (${computed(relationOf(prices), prices.range)}) as prices left join market_data_daily as daily using (coin_id, day)
    where case
      when daily.samples is null then true
      when daily.finalized_at is null then (${listed('prices')}) is distinct from (${listed('daily')})
      else prices.first_at < daily.first_at or prices.last_at > daily.last_at or prices.low < daily.low
        or prices.high > daily.high or prices.samples > daily.samples
    end`)
  const { differing = 0, first } = rows[0] ?? {}
  if (differing === 0) return
  throw new PartitionHeld(
    'content',
    `${differing} of its daily rows in market_data_daily do not agree with its prices, the first ${first}`,
  )
}

const settle = (db: Database, { range }: Prices, now: Instant) =>
  db.execute(sql`
    update market_data_daily set finalized_at = ${toIso(now)}::timestamp
    where finalized_at is null and day >= ${toIso(range.from)}::timestamp and day < ${toIso(range.to)}::timestamp`)

/** Prices are deleted after each of their days is rolled up. */
export const rolledUp: Safekeeping = async (partition) => {
  const { range } = partition
  if (range.from % day !== 0 || range.to % day !== 0) {
    throw new PartitionHeld(
      'shape',
      'its bounds are not midnights in UTC, and half a day cannot be rolled up',
    )
  }
  return async (db, now) => {
    await rollUp(db, partition)
    await proveRollUp(db, partition)
    await settle(db, partition, now)
  }
}
