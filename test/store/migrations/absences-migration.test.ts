import type { Pool, PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { createTestDatabase, servers } from '../../support/database.ts'
import { aRow, insertRow } from './valid-rows.ts'

async function withClient(pool: Pool, work: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect()
  try {
    await work(client)
  } finally {
    client.release()
  }
}

const ms = (iso: string): number => Date.parse(iso)

describe.each(servers)('on $server', ({ clusterUrl }) => {
  test('absences of before a source was said to have opened are unknown again, and no other', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    const covered = async () => {
      const { rows } = await pool.query<{ line: string }>(
        `select concat_ws(' ', source, timeframe, state, ranges) as line from candle_coverage
         where not isempty(ranges) order by line`,
      )
      return rows.map(({ line }) => line)
    }
    const span = (from: string, to: string) => `["${from} 00:00:00","${to} 00:00:00")`
    const cover = (source: string, timeframe: string, state: string, ...spans: string[]) =>
      pool.query(
        `insert into candle_coverage (coin_id, timeframe, source, state, ranges, updated_at)
         values ('bitcoin', $1, $2, $3, $4, now())`,
        [timeframe, source, state, `{${spans.join()}}`],
      )
    const line = (source: string, timeframe: string, state: string, ...spans: string[]) =>
      `${source} ${timeframe} ${state} {${spans.join()}}`
    try {
      // By the newest schema: a row of it has columns that come later.
      const archived = [
        {
          coinId: 'bitcoin',
          source: 'coinbase',
          state: 'stored',
          ranges: [[ms('2015-02-01'), ms('2015-03-01')]],
        },
        {
          coinId: 'bitcoin',
          source: 'coinbase',
          state: 'no-trades',
          ranges: [
            [ms('2014-01-01'), ms('2014-02-01')],
            [ms('2014-12-01'), ms('2015-02-01')],
          ],
        },
        {
          coinId: 'bitcoin',
          source: 'binance',
          state: 'no-trades',
          ranges: [[ms('2014-01-01'), ms('2014-02-01')]],
        },
      ]
      await withClient(pool, (client) =>
        insertRow(client, 'archives', { ...aRow('archives'), coverage: JSON.stringify(archived) }),
      )
      await migrateDown(url, { to: '0021' })
      await pool.query(
        `insert into coins (id, symbol, name, created_at, updated_at) values ('bitcoin', 'BTC', 'Bitcoin', now(), now())`,
      )
      // Just before it, and beside one that was asked for later.
      await cover(
        'coinbase',
        '1d',
        'no-trades',
        span('2014-11-01', '2015-01-01'),
        span('2015-03-02', '2015-03-04'),
      )
      await cover(
        'coinbase',
        '1d',
        'recheck-after-month',
        span('2014-11-01', '2015-01-01'),
        span('2015-03-02', '2015-03-04'),
      )
      await cover('coinbase', '1d', 'stored', span('2015-01-08', '2015-03-02'))
      // Run together with what was answered, and wholly before.
      await cover(
        'coinbase',
        '1h',
        'no-trades',
        span('2013-02-01', '2013-03-01'),
        span('2014-06-01', '2021-06-03'),
      )
      await cover('kraken', '1d', 'no-trades', span('2013-01-01', '2013-10-01'))
      await cover('kraken', '1d', 'refused', span('2012-01-01', '2012-01-02'))
      await cover(
        'kraken',
        '1d',
        'recheck-after-day',
        span('2012-01-01', '2012-01-02'),
        span('2013-01-01', '2013-10-01'),
      )
      await cover('bitstamp', '1d', 'no-trades', span('2011-01-01', '2011-08-01'))
      await cover('binance', '1d', 'no-trades', span('2010-01-01', '2017-08-17'))
      const other = [
        line('binance', '1d', 'no-trades', span('2010-01-01', '2017-08-17')),
        line('coinbase', '1d', 'stored', span('2015-01-08', '2015-03-02')),
        line('kraken', '1d', 'refused', span('2012-01-01', '2012-01-02')),
      ]
      await migrateUp(url)
      const after = [
        ...other,
        line('coinbase', '1d', 'no-trades', span('2015-03-02', '2015-03-04')),
        line('coinbase', '1d', 'recheck-after-month', span('2015-03-02', '2015-03-04')),
        line('coinbase', '1h', 'no-trades', span('2015-01-01', '2021-06-03')),
        line('kraken', '1d', 'no-trades', span('2013-09-01', '2013-10-01')),
        line(
          'kraken',
          '1d',
          'recheck-after-day',
          span('2012-01-01', '2012-01-02'),
          span('2013-09-01', '2013-10-01'),
        ),
      ].toSorted()
      expect(await covered()).toEqual(after)
      const { rows } = await pool.query('select coverage from archives')
      expect(rows[0].coverage).toEqual([
        archived[0],
        { ...archived[1], ranges: [[ms('2015-01-01'), ms('2015-02-01')]] },
        archived[2],
      ])
      await migrateDown(url, { to: '0021' })
      await migrateUp(url)
      expect(await covered()).toEqual(after)
    } finally {
      await drop()
    }
  })
})
