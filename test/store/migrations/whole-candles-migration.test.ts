import { describe, expect, test } from 'vitest'
import { checkCandles } from '../../../src/market/candle-check.ts'
import { toInstant } from '../../../src/market/instant.ts'
import { binance } from '../../../src/sources/binance.ts'
import { readMissingOf } from '../../../src/store/coverage/missing-candles.ts'
import { checkStates } from '../../../src/store/coverage/states.ts'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { at } from '../../support/at.ts'
import { createTestDatabase, servers } from '../../support/database.ts'

const hour = (text: string) => `2018-02-${text}`
const span = (from: string, to: string) => `["${hour(from)}","${hour(to)}")`

describe.each(servers)('on $server', ({ clusterUrl }) => {
  test('coverage with times off the grid keeps its whole candles, and asks for the parts again', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    try {
      await migrateDown(url, { to: '0017' })
      await pool.query(
        `insert into coins (id, symbol, name, created_at, updated_at) values ('bitcoin', 'BTC', 'Bitcoin', now(), now())`,
      )
      const stored = `{${span('01 00:00:00', '08 00:00:00')},${span('11 04:00:00', '20 00:00:00')}}`
      const parts = `{${span('08 01:00:00', '09 09:28:14.789')},${span('10 09:28:14.789', '11 03:28:14.789')}}`
      const rechecks = `{${span('09 08:00:00', '09 09:28:14.789')}}`
      await pool.query(
        `insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at) values
          ('bitcoin', '1h', 'binance', 'stored', $1::tsmultirange, now()),
          ('bitcoin', '1h', 'binance', 'no-trades', $2::tsmultirange, now()),
          ('bitcoin', '1h', 'binance', 'recheck-after-month', $3::tsmultirange, now()),
          ('bitcoin', '1h', 'okx', 'stored', $1::tsmultirange, now())`,
        [stored, parts, rechecks],
      )
      await migrateUp(url)
      const { rows } = await pool.query<{ line: string }>(
        `select concat_ws(' ', source, state, ranges) as line from candle_coverage order by line`,
      )
      const text = (ranges: string) => ranges.replaceAll('T', ' ')
      expect(rows.map(({ line }) => line)).toEqual([
        `binance no-trades {${span('08 01:00:00', '09 09:00:00')},${span('10 10:00:00', '11 03:00:00')}}`,
        `binance recheck-after-month {${span('09 08:00:00', '09 09:00:00')}}`,
        `binance stored ${text(stored)}`,
        `okx stored ${text(stored)}`,
      ])
      const db = databaseOf(pool)
      const range = { from: at('2018-02-08T00:00Z'), to: at('2018-02-11T04:00Z') }
      const series = { coinId: 'bitcoin', timeframe: '1h', source: 'binance', range } as const
      expect(await readMissingOf(db, series, 'skip-rejected')).toEqual([
        { from: at('2018-02-08T00:00Z'), to: at('2018-02-08T01:00Z') },
        { from: at('2018-02-09T09:00Z'), to: at('2018-02-10T10:00Z') },
        { from: at('2018-02-11T03:00Z'), to: at('2018-02-11T04:00Z') },
      ])
      expect(await checkStates(db, toInstant(Date.UTC(2026, 0)))).toEqual([])
    } finally {
      await drop()
    }
  })

  test('rows with another close are what they are when they come again, and one cut short can be accepted', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    const hourMs = 3_600_000
    const rowOf = (openTime: number, closeTime: number, low = '7572.09000000') => [
      new Date(openTime).toISOString(),
      `[${openTime},"7599.00000000","7844.00000000","${low}","7784.02000000","1521.53731800",${closeTime},"1.5",7,"0.5","0.7","0"]`,
    ]
    const cutShort = rowOf(1_518_048_000_000, 1_518_049_694_788)
    const beside = rowOf(1_518_319_694_789, 1_518_321_600_999)
    const longer = rowOf(1_518_048_000_000, 1_518_048_000_000 + 24 * hourMs - 1)
    const contradictory = rowOf(1_518_051_600_000, 1_518_051_600_999, '7900')
    try {
      await migrateDown(url, { to: '0017' })
      for (const [timestamp, raw] of [cutShort, beside, longer, contradictory])
        await pool.query(
          `insert into quarantined_rows (source, market, timeframe, timestamp, reason, raw, quarantined_at)
           values ('binance', 'BTCUSDT', '1h', $1::timestamptz at time zone 'UTC', 'close time is not that of a 1h candle', $2, now())`,
          [timestamp, raw],
        )
      await migrateUp(url)
      const { rows } = await pool.query<{ raw: string; reason: string; candle: unknown }>(
        'select raw, reason, candle from quarantined_rows',
      )
      const query = {
        symbol: 'BTCUSDT',
        timeframe: '1h',
        range: { from: at('2018-02-01'), to: at('2018-03-01') },
        asOf: at('2024-03-01'),
      } as const
      expect(rows).toHaveLength(4)
      for (const { raw, reason, candle } of rows) {
        const [now] = checkCandles(binance.candles.parse(`[${raw}]`, query), {
          ...query,
          now: query.asOf,
        }).rejected
        // What contradicts itself is now rejected for that; a row is told once more then.
        if (raw !== contradictory[1]) expect(reason).toBe(now?.reason)
        expect(candle).toEqual(raw === cutShort[1] ? { ...now?.acceptable, openTime: undefined } : null)
      }
    } finally {
      await drop()
    }
  })

  test('what was accepted and superseded outlives the way down and up', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    const rows = async () =>
      (
        await pool.query<{ line: string }>(
          `select concat_ws(' ', raw, coalesce(to_jsonb(quarantined_rows) ->> 'settlement', to_jsonb(quarantined_rows) ->> 'resolution'), coalesce(to_jsonb(quarantined_rows) ->> 'settled_by', to_jsonb(quarantined_rows) ->> 'resolved_by'), coalesce(to_jsonb(quarantined_rows) ->> 'settled_reason', to_jsonb(quarantined_rows) ->> 'resolved_reason')) as line from quarantined_rows order by raw`,
        )
      ).rows.map(({ line }) => line)
    try {
      await migrateDown(url, { to: '0018' })
      await pool.query(`
        insert into quarantined_rows (source, market, reason, raw, candle, quarantined_at, settlement, settled_at, settled_by, settled_reason)
        values ('binance', 'BTCUSDT', 'cut short', '1', '{"open": "1"}', now(), 'accepted', now(), 'ada', 'an outage: of 2018'),
          ('binance', 'BTCUSDT', 'disputed', '2', null, now(), 'accepted', now(), 'ada', null),
          ('binance', 'BTCUSDT', 'earlier', '3', null, now(), 'superseded', now(), 'beacon', null),
          ('binance', 'BTCUSDT', 'odd', '4', null, now(), 'loaded', now(), 'ada', 'discarded by eve'),
          ('binance', 'BTCUSDT', 'future', '5', null, now(), 'discarded', now(), 'ada', 'accepted: no')`)
      const before = await rows()
      await migrateDown(url, { to: '0017' })
      expect(await rows()).toEqual([
        '1 loaded ada accepted: an outage: of 2018',
        '2 loaded ada accepted',
        '3 loaded beacon superseded',
        '4 loaded ada discarded by eve',
        '5 discarded ada accepted: no',
      ])
      await migrateUp(url)
      expect(await rows()).toEqual(before)
    } finally {
      await drop()
    }
  })

  test('no writer gets a part of a candle into coverage, whatever way it takes', async () => {
    const { pool, superuser, drop } = await createTestDatabase(clusterUrl)
    const write = (timeframe: string, ranges: string) =>
      pool.query(
        `insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at)
         values ('bitcoin', $1, 'binance', 'stored', $2::tsmultirange, now())
         on conflict (coin_id, timeframe, source, state) do update set ranges = candle_coverage.ranges + excluded.ranges`,
        [timeframe, ranges],
      )
    const refused = { code: '23514', constraint: 'candle_coverage_whole_candles' }
    try {
      await pool.query(
        `insert into coins (id, symbol, name, created_at, updated_at) values ('bitcoin', 'BTC', 'Bitcoin', now(), now())`,
      )
      for (const [timeframe, ranges] of [
        ['1h', '[2018-02-09 09:28:14.789,2018-02-09 10:28:14.789)'],
        ['1h', '[2018-02-09 09:00,2018-02-09 09:30)'],
        ['1h', '[2018-02-09 09:00,)'],
        ['1h', '(2018-02-09 09:00,2018-02-09 10:00]'],
        ['1d', '[2018-02-09 09:00,2018-02-10 09:00)'],
        ['15m', '[2018-02-09 09:05,2018-02-09 09:20)'],
      ] as const)
        await expect(write(timeframe, `{${ranges}}`), `${timeframe} ${ranges}`).rejects.toMatchObject(refused)
      for (const [timeframe, ranges] of [
        ['1m', '[2018-02-09 09:28,2018-02-09 09:29)'],
        ['15m', '[2018-02-09 09:15,2018-02-09 09:45)'],
        ['4h', '[2018-02-09 08:00,2018-02-09 12:00)'],
        ['1d', '[2018-02-09,2018-02-11)'],
      ] as const)
        await write(timeframe, `{${ranges}}`)
      const cut = (ranges: string) =>
        pool.query(`update candle_coverage set ranges = ranges - $1::tsmultirange where timeframe = '1d'`, [
          ranges,
        ])
      await expect(cut('{[2018-02-09 12:00,2018-02-10)}')).rejects.toMatchObject(refused)
      await cut('{[2018-02-09,2018-02-10)}')
      // Loads let foreign keys rest this way, and other triggers with them.
      const client = await superuser.connect()
      try {
        await client.query(`begin; set local session_replication_role = replica`)
        await expect(
          client.query(
            `update candle_coverage set ranges = '{[2018-02-09 00:30,2018-02-10)}' where timeframe = '1d'`,
          ),
        ).rejects.toMatchObject(refused)
        await client.query('rollback')
      } finally {
        client.release()
      }
    } finally {
      await drop()
    }
  })
})
