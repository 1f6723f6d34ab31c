import type { Cluster, Redis } from 'ioredis'
import type { Pool } from 'pg'
import {
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterStoreAbstract,
} from 'rate-limiter-flexible'
import { second } from '../market/instant.ts'
import type { Pace } from './pace.ts'
import type { Lane } from './request.ts'

/** Where all processes of the fleet keep their common budget. */
export type BudgetStore = Readonly<{ redis: Redis | Cluster } | { pool: Pool }>

/** What came of pouring: it is in, and the bucket leaks dry in so long; or it did not fit, and will in so long. */
export type Poured = Readonly<{ fits: true; emptyInMs: number } | { fits: false; fitsInMs: number }>

/** The leaky bucket of one source. It is kept by the store's own clock: those of the processes differ. */
export type LeakyBucket = Readonly<{
  /** Pours in the points if they stay below the lane's brim. They must not be more than that. */
  pour(points: number, lane: Lane): Promise<Poured>
  /** Pours in the points, however full it gets. Returns the milliseconds until it has leaked dry. */
  owe(points: number): Promise<number>
  /** Fills it up, unless it is fuller, so that it leaks dry in so long. Returns the milliseconds until it has. */
  fillFor(ms: number): Promise<number>
}>

export function openLeakyBucket(
  store: BudgetStore,
  source: string,
  { perPointMs, brims }: Pace,
): LeakyBucket {
  const open = (brim: number) => {
    const options = {
      keyPrefix: `{beacon}:budget:${source}`,
      points: brim,
      duration: (brim * perPointMs) / second,
    }
    return 'redis' in store ? openLimiter(store, options) : new LeakyPostgres(store.pool, options)
  }
  const lanes = { live: open(brims.live), repair: open(brims.repair), backfill: open(brims.backfill) }
  const endless = open(1e9)
  const filling = open(0)
  return {
    pour: async (points, lane) => {
      try {
        return { fits: true, emptyInMs: (await lanes[lane].consume('', points, wholeSecond)).msBeforeNext }
      } catch (rejection) {
        // The limiter rejects with its answer when it does not fit, and with an error when its store failed.
        if (!(rejection instanceof RateLimiterRes)) throw rejection
        return { fits: false, fitsInMs: rejection.msBeforeNext }
      }
    },
    owe: async (points) => (await endless.penalty('', points, wholeSecond)).msBeforeNext,
    fillFor: async (ms) => (await filling.penalty('', Math.ceil(ms), wholeSecond)).msBeforeNext,
  }
}

/** On Redis a limiter leaves out the script for less than a second. It is not used otherwise. */
const wholeSecond = { customDuration: 1 }

type LimiterOptions = Readonly<{ keyPrefix: string; points: number; duration: number }>

/**
 * A limiter of the library, whose `set` and `get` work as they do there. On Redis it has the script of the leaky buckets,
 * whether it pours or not: all limiters of one connection have one script, that of the last to be opened.
 */
export function openLimiter(store: BudgetStore, options: LimiterOptions): RateLimiterStoreAbstract {
  return 'redis' in store
    ? new RateLimiterRedis({ ...options, storeClient: store.redis, customIncrTtlLuaScript: pourScript })
    : new RateLimiterPostgres({ ...options, ...inTable, storeClient: store.pool })
}

const inTable = {
  storeType: 'pool',
  tableName: 'request_budget',
  tableCreated: true,
  clearExpiredByTimeout: false,
}

/**
 * The library's own counters begin anew when their time is over: around that moment two windows' worth can be spent, or
 * no window is ever used up. This takes their place: the limiter's `points` are the brim, and leak out in its
 * `duration`. Without points it fills, and what is consumed are milliseconds.
 * The arguments are the points to consume, whole seconds, and the limiter's points and duration. The key holds when the
 * bucket will have leaked dry, in microseconds.
 */
const pourScript = `
  local time = redis.call('time')
  local now = time[1] * 1000000 + time[2]
  local empty = math.max(tonumber(redis.call('get', KEYS[1]) or '0'), now)
  local brim, duration = tonumber(ARGV[3]), ARGV[4] * 1000000
  local filled
  if brim == 0 then
    filled = math.max(empty, now + ARGV[1] * 1000)
  else
    filled = empty + ARGV[1] * duration / brim
    if filled - now > duration then
      return { math.ceil(brim) + 1, math.ceil((filled - now - duration) / 1000) }
    end
  end
  local left = math.ceil((filled - now) / 1000)
  redis.call('set', KEYS[1], string.format('%.0f', filled), 'px', left)
  return { 0, left }`

/** The same of a row: `expire` is when the bucket will have leaked dry, in microseconds. */
const pourStatement = `
  insert into request_budget as bucket (key, points, expire)
  select $1, 0, clock.reading + $2::bigint
  from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as reading) as clock
  on conflict (key) do update set (points, expire) = (
    select
      (filled - reading > $3::bigint)::integer,
      case when filled - reading > $3::bigint then bucket.expire else filled end
    from (
      select reading, case
        when $4::boolean then greatest(bucket.expire, reading + $2::bigint)
        else greatest(bucket.expire, reading) + $2::bigint
      end as filled
      from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as reading) as clock
    ) as poured
  )
  returning
    bucket.points = 0 as fits,
    ((bucket.expire - extract(epoch from clock_timestamp()) * 1000000) / 1000)::float8 as "emptyInMs"`

type PouredRow = Readonly<{ fits: boolean; emptyInMs: number }>

/** The two methods that each limiter of the library has of its own. */
class LeakyPostgres extends RateLimiterPostgres {
  readonly #pool: Pool

  constructor(pool: Pool, options: LimiterOptions) {
    super({ ...options, ...inTable, storeClient: pool })
    this.#pool = pool
  }

  async _upsert(key: string, points: number): Promise<Poured> {
    const fills = this.points === 0
    const pouredMs = fills ? points : (points * this.duration * second) / this.points
    const brimMs = fills ? Number.MAX_SAFE_INTEGER / 1_000 : this.duration * second
    const { rows } = await this.#pool.query<PouredRow>({
      text: pourStatement,
      values: [key, microseconds(pouredMs), microseconds(brimMs), fills],
    })
    const [row] = rows
    if (!row) throw new Error('the request budget did not answer')
    const { fits, emptyInMs } = row
    return fits ? { fits, emptyInMs } : { fits, fitsInMs: emptyInMs + pouredMs - brimMs }
  }

  _getRateLimiterRes(_key: string, _points: number, poured: Poured): RateLimiterRes {
    return poured.fits
      ? new RateLimiterRes(0, poured.emptyInMs, 0)
      : new RateLimiterRes(0, poured.fitsInMs, this.points + 1)
  }
}

const microseconds = (ms: number): string => Math.round(ms * 1_000).toFixed(0)
