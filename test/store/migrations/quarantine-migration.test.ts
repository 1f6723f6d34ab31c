import { describe, expect, test } from 'vitest'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { createTestDatabase, servers } from '../../support/database.ts'

const before = '0018'

describe.each(servers)('on $server', ({ clusterUrl }) => {
  test('rejections that differ by their raw text become one with a count, and stay through a way back', async () => {
    const { pool, url, drop } = await createTestDatabase(clusterUrl)
    const kept = async (columns: string) => {
      const { rows } = await pool.query<{ line: string }>(
        `select concat_ws(' | ', ${columns}) as line from quarantined_rows order by line`,
      )
      return rows.map(({ line }) => line)
    }
    try {
      await migrateDown(url, { to: before })
      await pool.query(
        `insert into coins (id, symbol, name, created_at, updated_at) values ('bitcoin', 'BTC', 'Bitcoin', now(), now())`,
      )
      await pool.query(`
        insert into quarantined_rows
          (source, market, coin_id, timeframe, timestamp, reason, raw, quarantined_at, settlement, settled_at, settled_by, settled_reason)
        values
          ('coingecko', 'dogecoin', null, null, null, 'price 1 is negative', 'at 1', '2024-03-01', null, null, null, null),
          ('coingecko', 'dogecoin', null, null, null, 'price 2.5 is negative', 'at 2', '2024-03-02', null, null, null, null),
          ('coingecko', 'dogecoin', null, null, null, 'price 2.5 is negative', 'at 3', '2024-03-03', 'discarded', '2024-03-04', 'ada', 'why'),
          ('coingecko', 'pepe', null, null, null, 'price 2.5 is negative', 'at 2', '2024-03-02', null, null, null, null),
          ('binance', 'BTCUSDT', 'bitcoin', '1m', '2024-03-01 00:00', 'low 2 is odd', 'a', '2024-03-01', 'withdrawn', '2024-03-02', 'ada', null),
          ('binance', 'BTCUSDT', 'bitcoin', '1m', '2024-03-01 00:00', 'low 3 is odd', 'b', '2024-03-02', 'discarded', '2024-03-03', 'ada', 'why'),
          ('binance', 'BTCUSDT', 'bitcoin', '1m', '2024-03-01 00:01', 'low 2 is odd', 'c', '2024-03-01', null, null, null, null)`)
      await migrateUp(url)
      expect(
        await kept(
          `market, kind, reason, raw, times_seen, to_char(quarantined_at, 'DD'), to_char(last_seen_at, 'DD'), coalesce(to_jsonb(quarantined_rows) ->> 'settlement', to_jsonb(quarantined_rows) ->> 'resolution')`,
        ),
      ).toEqual([
        'BTCUSDT | low N is odd | low 2 is odd | c | 1 | 01 | 01',
        'BTCUSDT | low N is odd | low 3 is odd | b | 2 | 01 | 02 | discarded',
        'dogecoin | price N is negative | price 2.5 is negative | at 2 | 3 | 01 | 03',
        'pepe | price N is negative | price 2.5 is negative | at 2 | 1 | 02 | 02',
      ])
      // The same raw text at another open time is no row of its own to the former key.
      await pool.query(`update quarantined_rows set raw = 'c', reason = 'low 2 is odd' where raw = 'b'`)
      await migrateDown(url, { to: before })
      expect(
        await kept(
          `market, raw, coalesce(to_jsonb(quarantined_rows) ->> 'settlement', to_jsonb(quarantined_rows) ->> 'resolution')`,
        ),
      ).toEqual(['BTCUSDT | c', 'dogecoin | at 2', 'pepe | at 2'])
      await migrateUp(url)
      expect(await kept('market, times_seen')).toEqual(['BTCUSDT | 1', 'dogecoin | 1', 'pepe | 1'])
    } finally {
      await drop()
    }
  })
})
