import { describe, expect, test } from 'vitest'
import { toInstant } from '../../../src/market/instant.ts'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { partitionAt } from '../../../src/store/partitions.ts'
import { createTestDatabase, servers } from '../../support/database.ts'

describe.each(servers)('on $server', ({ clusterUrl }) => {
  test('stored prices of 0 go to quarantine, a row for each coin, and can be stored no more', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    const pricesOf = async () => {
      const { rows } = await pool.query<{ price: string }>('select price from market_data order by price')
      return rows.map(({ price }) => price)
    }
    const insert = (price: string) =>
      pool.query(
        `insert into market_data (coin_id, price, timestamp) values ('bitcoin', $1, '2024-03-01 09:00')`,
        [price],
      )
    try {
      const table = { name: 'market_data', length: 'day' } as const
      await ensurePartitions(pool, table, [partitionAt(table, toInstant(Date.UTC(2024, 2, 1)))], 5_000)
      await migrateDown(url, { to: '0019' })
      await pool.query(
        `insert into coins (id, symbol, name, created_at, updated_at)
         values ('bitcoin', 'BTC', 'Bitcoin', now(), now()), ('pepe', 'PEPE', 'Pepe', now(), now())`,
      )
      await pool.query(
        `insert into market_data (coin_id, price, timestamp) values
           ('bitcoin', 62000.5, '2024-03-01 10:00'), ('bitcoin', 0, '2024-03-01 10:05'), ('bitcoin', 0, '2024-03-01 10:10'),
           ('pepe', 0.00000001, '2024-03-01 10:00')`,
      )
      await migrateUp(url)
      expect(await pricesOf()).toEqual(['0.00000001', '62000.50000000'])
      const { rows } = await pool.query(
        'select market, coin_id, times_seen, raw, quarantined_at::text, last_seen_at::text from quarantined_rows',
      )
      expect(rows).toEqual([
        {
          market: 'bitcoin',
          coin_id: 'bitcoin',
          times_seen: 2,
          raw: '["2024-03-01T10:05:00", "2024-03-01T10:10:00"]',
          quarantined_at: '2024-03-01 10:05:00',
          last_seen_at: '2024-03-01 10:10:00',
        },
      ])
      await expect(insert('0')).rejects.toThrow('market_data_price_check')
      await migrateDown(url, { to: '0019' })
      await insert('0')
      expect(await pricesOf()).toEqual(['0.00000000', '0.00000001', '62000.50000000'])
    } finally {
      await drop()
    }
  })
})
