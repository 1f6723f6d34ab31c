import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { readSettings } from '../../../src/settings.ts'
import { readCandles } from '../../../src/store/candles.ts'
import { readPartitions } from '../../../src/store/partitions/catalog.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { irregularPartitions } from '../../../src/store/partitions/irregular.ts'
import { candleTable, partitionAt, partitionedTables } from '../../../src/store/partitions.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { test } from '../../support/database.ts'
import { aBatch, aCoin, aSeries, at, candlesIn, minutes } from '../loading.ts'
import { boundsOf, interruptDetaching, loadAs } from './hand-made.ts'

const tables = partitionedTables(readSettings({}))
const twoDays = minutes(0, 48 * 60)

async function findIrregular(pool: Pool) {
  const names = tables.map(({ name }) => name)
  return irregularPartitions(tables, await readPartitions(databaseOf(pool), names))
}

/** Follows the one remedy there is, as somebody who pastes it into psql. */
async function heal(pool: Pool): Promise<void> {
  const [found, ...others] = await findIrregular(pool)
  if (!found || others.length > 0) throw new Error('one is irregular')
  await pool.query(found.remedy.replace(/^.*?(psql|replace it): /, ''))
}

describe('a partition that is not ours', () => {
  test('is not what we make, with this length or another', async ({ freshDatabase: { pool } }) => {
    const minuteTable = candleTable('1m', 'day')
    await ensurePartitions(pool, minuteTable, [partitionAt(minuteTable, at('2024-03-05'))], 2_000)
    const monthly = candleTable('1m', 'month')
    await ensurePartitions(pool, monthly, [partitionAt(monthly, at('2024-03-01'))], 2_000)
    expect(await boundsOf(pool, 'ohlcv_data_1m')).toHaveLength(3)
    expect(await findIrregular(pool)).toEqual([])
  })

  test('of other bounds is named, and replaced by the statements beside it with no row lost', async ({
    freshDatabase: { pool },
  }) => {
    // Attached with its columns in another order.
    await pool.query(
      `create table by_hand (volume decimal(32, 8) not null, close decimal(24, 8) not null, low decimal(24, 8) not null,
         high decimal(24, 8) not null, open decimal(24, 8) not null, timeframe varchar(10) not null,
         timestamp timestamp not null, coin_id varchar(50) not null);
       alter table by_hand add constraint ohlcv_data_sane check (
         low >= 0 and low <= open and low <= close and high >= open and high >= close and volume >= 0
         and high <> 'NaN' and volume <> 'NaN'
       );
       alter table by_hand add constraint ohlcv_data_1m_aligned check (timestamp = date_bin('60 seconds', timestamp, '1970-01-01'));
       alter table ohlcv_data_1m attach partition by_hand for values from ('2024-03-01 05:00') to ('2024-03-02 05:00')`,
    )
    const series = await aSeries(pool)
    await loadAs(pool, [aBatch(series, candlesIn(twoDays))])
    expect(await findIrregular(pool)).toMatchObject([
      {
        kind: 'bounds',
        fact: `public.by_hand (FOR VALUES FROM ('2024-03-01 05:00:00') TO ('2024-03-02 05:00:00')) is a partition of ohlcv_data_1m with other bounds than a day: ohlcv_data_1m_y2024m03d01 to ohlcv_data_1m_y2024m03d02 cannot be made whole, only around it, and retention keeps all of it until 2024-03-02 05:00 is old enough`,
      },
    ])
    await heal(pool)
    expect(await findIrregular(pool)).toEqual([])
    expect(await readCandles(databaseOf(pool), series, twoDays, 10_000)).toEqual(candlesIn(twoDays))
    expect(await boundsOf(pool, 'ohlcv_data_1m')).toHaveLength(4)
  })

  test.for(['public.by_hand', '"Other schema"."By hand"', '"Other schema".ohlcv_data_1m_y2024m03d01'])(
    '%s with the bounds of ours gets our name by the statement beside it',
    async (name, { freshDatabase: { pool } }) => {
      await pool.query('create schema "Other schema"')
      await pool.query(
        `create table ${name} partition of ohlcv_data_1m for values from ('2024-03-01') to ('2024-03-02')`,
      )
      expect(await findIrregular(pool)).toMatchObject([{ kind: 'name', partition: { qualifiedName: name } }])
      await heal(pool)
      expect(await boundsOf(pool, 'ohlcv_data_1m')).toEqual([
        `public.ohlcv_data_1m_y2024m03d01 FOR VALUES FROM ('2024-03-01 00:00:00') TO ('2024-03-02 00:00:00')`,
      ])
    },
  )

  test.for([
    ['ohlcv_data_1m', 'ohlcv_data_1m_y2024m03d01'],
    ['ohlcv_data_1h', 'ohlcv_data_1h_y2024m03'],
    ['ohlcv_data_1d', 'ohlcv_data_1d_y2024'],
    ['market_data', 'market_data_y2024m03d01'],
  ] as const)(
    'that is the DEFAULT of %s is emptied into ours by the statement beside it',
    async ([table, ours], { freshDatabase: { pool } }) => {
      const coinId = await aCoin(pool)
      await pool.query(`create table leftovers partition of ${table} default`)
      const timeframe = table.replace('ohlcv_data_', '')
      await (table === 'market_data'
        ? pool.query(
            `insert into market_data (coin_id, price, timestamp) values ($1, 2, '2024-03-01 12:00')`,
            [coinId],
          )
        : pool.query(`insert into ohlcv_data values ($1, '2024-03-01', $2, 10, 12, 9, 11, 100)`, [
            coinId,
            timeframe,
          ]))
      const contents = async () => (await pool.query(`select * from ${table}`)).rows
      const before = await contents()
      expect(before).toHaveLength(1)
      expect(await findIrregular(pool)).toMatchObject([{ kind: 'default' }])
      await heal(pool)
      expect(await contents()).toEqual(before)
      expect((await readPartitions(databaseOf(pool), [table])).map(({ name }) => name)).toEqual([ours])
    },
  )

  test('and is half detached takes rows again once that is finished', async ({ freshDatabase: { pool } }) => {
    await pool.query(
      `create table by_hand partition of ohlcv_data_1m for values from ('2024-03-01') to ('2024-03-02')`,
    )
    await interruptDetaching(pool, 'ohlcv_data_1m', 'by_hand')
    expect(await findIrregular(pool)).toMatchObject([
      { kind: 'detaching', remedy: expect.stringMatching(/^In psql: /) },
    ])
    await heal(pool)
    expect(await findIrregular(pool)).toEqual([])
    const series = await aSeries(pool)
    expect(await loadAs(pool, [aBatch(series, candlesIn(twoDays))])).toMatchObject({ unplaced: [] })
  })
})
