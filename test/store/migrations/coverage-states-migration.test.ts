import { describe, expect, test } from 'vitest'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { createTestDatabase, servers } from '../../support/database.ts'

describe.each(servers)('on $server', ({ clusterUrl }) => {
  test('a ledger of before wants each of its absences looked at again, and keeps its facts both ways', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    const coverage = async () => {
      const { rows } = await pool.query<{ line: string }>(
        `select concat_ws(' ', source, state, ranges) as line from candle_coverage where not isempty(ranges) order by line`,
      )
      return rows.map(({ line }) => line)
    }
    const span = (from: string, to: string) => `["2024-03-0${from} 00:00:00","2024-03-0${to} 00:00:00")`
    const facts = [
      `binance no-trades {${span('2', '3')}}`,
      `binance refused {${span('4', '5')}}`,
      `binance stored {${span('1', '2')}}`,
      `kraken stored {${span('1', '2')}}`,
    ]
    try {
      await migrateDown(url, { to: '0009' })
      await pool.query(
        `insert into coins (id, symbol, name, created_at, updated_at) values ('bitcoin', 'BTC', 'Bitcoin', now(), now())`,
      )
      await pool.query(`
        insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at) values
          ('bitcoin', '1d', 'binance', 'stored', '{${span('1', '2')}}', now()),
          ('bitcoin', '1d', 'binance', 'no-trades', '{${span('2', '3')}}', now()),
          ('bitcoin', '1d', 'binance', 'refused', '{${span('4', '5')}}', now()),
          ('bitcoin', '1d', 'kraken', 'stored', '{${span('1', '2')}}', now()),
          ('bitcoin', '1d', 'kraken', 'no-trades', '{}', now())`)
      await migrateUp(url)
      const both = `{${span('2', '3')},${span('4', '5')}}`
      const attempts = ['recheck-after-day', 'recheck-after-month'].map((state) => `binance ${state} ${both}`)
      expect(await coverage()).toEqual([...facts, ...attempts].toSorted())
      await migrateDown(url, { to: '0009' })
      expect(await coverage()).toEqual(facts)
    } finally {
      await drop()
    }
  })
})
