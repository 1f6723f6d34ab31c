import { describe, expect, test } from 'vitest'
import { migrateDown, migrateUp } from '../../src/store/migrations.ts'
import { versionBefore } from '../store/migrations/version-before.ts'
import { createTestDatabase, servers } from '../support/database.ts'

const coin = `insert into coins (id, symbol, name, created_at, updated_at) values ('bitcoin', 'BTC', 'Bitcoin', now(), now())`

describe.each(servers)('on $server', ({ clusterUrl }) => {
  test('what an interrupted run had detached is in its table again after the migration', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    try {
      await migrateDown(url, { to: await versionBefore('partition_holds') })
      await pool.query(coin)
      for (const day of ['01', '02', '03']) {
        await pool.query(
          `create table ohlcv_data_1h_d${day} partition of ohlcv_data_1h for values from ('2024-03-${day}') to ('2024-03-${day} 12:00')`,
        )
        await pool.query(`insert into ohlcv_data values ('bitcoin', '2024-03-${day}', '1h', 1, 1, 1, 1, 1)`)
        await pool.query(
          `insert into expiring_partitions values ('ohlcv_data_1h_d${day}', 'ohlcv_data_1h', '2024-03-${day}', '2024-03-${day} 12:00', 'archive', now())`,
        )
      }
      await pool.query('alter table ohlcv_data_1h detach partition ohlcv_data_1h_d01')
      const reader = await pool.connect()
      await reader.query('begin; select count(*) from ohlcv_data')
      const theirs = await pool.connect()
      await theirs.query(`set lock_timeout = '50ms'`)
      const detaching = theirs.query(
        'alter table ohlcv_data_1h detach partition ohlcv_data_1h_d02 concurrently',
      )
      await expect(detaching).rejects.toThrow('lock timeout')
      for (const client of [reader, theirs]) client.release(true)
      const count = async () =>
        (await pool.query('select count(*)::integer as count from ohlcv_data')).rows[0]?.count
      expect(await count()).toBe(1)
      await migrateUp(url)
      expect(await count()).toBe(3)
      await migrateDown(url, { to: await versionBefore('partition_holds') })
      expect(await count()).toBe(3)
    } finally {
      await drop()
    }
  })

  test('restored files and the order of files are known after the migration', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    try {
      await migrateDown(url, { to: await versionBefore('archive_ranges') })
      await pool.query(`
        insert into archives (id, table_name, partition_name, range_from, range_to, state, place, file_name, columns, created_at,
          row_count, bytes, sha256, checksums, verified_at, dropped_at)
        select gen_random_uuid(), 'ohlcv_data_1h', partition, '2024-03-01', '2024-04-01', state, 'file:///a/', n::text, '[]',
          timestamp '2024-07-01' - n * interval '1 day', 1, 1, '', '{}', now(), timestamp '2024-07-01' - n * interval '1 day'
        from (values (1, 'restored', 'a'), (2, 'dropped', 'a'), (3, 'restored', null)) as file (n, state, partition)`)
      await migrateUp(url)
      const { rows } = await pool.query(
        'select file_name, restored_ranges::text as restored from archives order by sequence',
      )
      expect(rows).toEqual([
        { file_name: '3', restored: '{}' },
        { file_name: '2', restored: '{}' },
        { file_name: '1', restored: '{["2024-03-01 00:00:00","2024-04-01 00:00:00")}' },
      ])
      await pool.query(
        `insert into archives (id, table_name, range_from, range_to, state, place, file_name, columns, created_at)
         values (gen_random_uuid(), 'a', '2024-03-01', '2024-04-01', 'writing', '', 'new', '[]', now())`,
      )
      const { rows: newest } = await pool.query(
        'select file_name from archives order by sequence desc limit 1',
      )
      expect(newest).toEqual([{ file_name: 'new' }])
    } finally {
      await drop()
    }
  })

  test('candles that are there already are to be counted after the migration', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    try {
      await migrateDown(url, { to: await versionBefore('candle_digests') })
      await pool.query(coin)
      await pool.query(`
        insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at) values
          ('bitcoin', '1h', 'binance', 'stored', '{[2024-03-01 22:00,2024-03-03),[2024-03-05,2024-03-05 01:00)}', now()),
          ('bitcoin', '1h', 'kraken', 'stored', '{[2024-03-01,2024-03-01 05:00)}', now()),
          ('bitcoin', '1d', 'binance', 'stored', '{[2024-01-31,2024-03-01)}', now())`)
      await migrateUp(url)
      const { rows } = await pool.query(
        `select timeframe || ' ' || bucket::date as bucket from candle_digests where rows is null order by 1`,
      )
      expect(rows.map(({ bucket }) => bucket)).toEqual([
        '1d 2024-01-01',
        '1d 2024-02-01',
        '1h 2024-03-01',
        '1h 2024-03-02',
        '1h 2024-03-05',
      ])
    } finally {
      await drop()
    }
  })
})
