import type { Pool } from 'pg'
import type { BucketStore } from './bucket-store.ts'

const prefix = 'beacon:'

/** `expire` and `written_at` in microseconds; `points` is the mark. */
const clock = `(select (extract(epoch from clock_timestamp()) * 1000000)::bigint as reading) as clock`

/** Corrects for a clock set back by over a second. */
const corrected = `bucket.expire - case
  when coalesce(bucket.written_at, reading) - reading > 1000000 then bucket.written_at - reading else 0 end`

const leftMs = `((bucket.expire - extract(epoch from clock_timestamp()) * 1000000) / 1000)::float8 as "leftMs"`

/** Mark: whether the last pour fitted. */
const pourStatement = `
  insert into request_budget as bucket (key, points, expire, written_at)
  select $1, 1, reading + $2::bigint, reading from ${clock}
  on conflict (key) do update set (points, expire, written_at) = (
    select
      (filled - reading <= $3::bigint)::integer,
      case when filled - reading <= $3::bigint then filled else begun end,
      reading
    from (
      select reading, begun, greatest(begun, reading) + $2::bigint as filled
      from (select reading, ${corrected} as begun from ${clock}) as before
    ) as poured
  )
  returning bucket.points = 1 as fits, ${leftMs}`

const fillStatement = `
  insert into request_budget as bucket (key, points, expire, written_at)
  select $1, 1, reading + $2::bigint, reading from ${clock}
  on conflict (key) do update set (points, expire, written_at) = (
    select 1, greatest(${corrected}, reading + $2::bigint), reading from ${clock}
  )
  returning ${leftMs}`

const putStatement = `
  insert into request_budget (key, points, expire, written_at)
  select $1, $3::integer, reading + $2::bigint, reading from ${clock}
  on conflict (key) do update
    set (points, expire, written_at) = (excluded.points, excluded.expire, excluded.written_at)`

const correctStatement = `
  update request_budget as bucket set expire = ${corrected}, written_at = reading from ${clock}
  where key = $1 and bucket.written_at - reading > 1000000`

const readStatement = `
  select points as mark, ${leftMs}, bucket.written_at - reading > 1000000 as "wasSetBack"
  from request_budget as bucket cross join ${clock} where key = $1`

export function openPostgresBuckets(pool: Pool): BucketStore {
  const ask = async <Row extends object>(text: string, key: string, ...values: readonly string[]) =>
    (await pool.query<Row>({ text, values: [`${prefix}${key}`, ...values] })).rows[0]
  const read: BucketStore['read'] = async (key) => {
    const row = await ask<{ mark: number; leftMs: number; wasSetBack: boolean | null }>(readStatement, key)
    if (row?.wasSetBack === true) {
      await ask(correctStatement, key)
      return read(key)
    }
    return row && row.leftMs > 0 ? { leftMs: row.leftMs, mark: row.mark } : undefined
  }
  return {
    pour: async (key, ms, capacityMs) => {
      const values = [microseconds(ms), microseconds(capacityMs)]
      const { fits, leftMs: left } = answered(
        await ask<{ fits: boolean; leftMs: number }>(pourStatement, key, ...values),
      )
      return fits ? { fits, emptyInMs: left } : { fits, fitsInMs: Math.max(left, 0) + ms - capacityMs }
    },
    fill: async (key, ms) =>
      answered(await ask<{ leftMs: number }>(fillStatement, key, microseconds(ms))).leftMs,
    put: async (key, timer) => {
      await ask(putStatement, key, microseconds(timer.leftMs), String(timer.mark))
    },
    read,
  }
}

function answered<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error('the request budget did not answer')
  return row
}

/** Limited to a safe integer. */
const microseconds = (ms: number): string =>
  Math.min(Math.round(ms * 1_000), Number.MAX_SAFE_INTEGER).toFixed(0)
