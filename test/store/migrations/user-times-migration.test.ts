import type { Pool } from 'pg'
import { describe, expect, test } from 'vitest'
import { migrateDown, migrateUp } from '../../../src/store/migrations.ts'
import { createTestDatabase, servers } from '../../support/database.ts'
import { aRow, insertRow, insertValid, userId } from './valid-rows.ts'
import { versionBefore } from './version-before.ts'

/** A user with a row in each of the tables, in a schema in which nobody has a default tier or status yet. */
async function settle(pool: Pool, tables: readonly string[]): Promise<void> {
  const client = await pool.connect()
  try {
    await insertRow(client, 'users', aRow('users', { tier: 'pro', status: 'suspended' }))
    await insertValid(client, tables)
  } finally {
    client.release()
  }
}

describe.each(servers)('on $server', ({ clusterUrl }) => {
  test('times of users that are no date of our age are repaired, and the audit log keeps them', async () => {
    const { superuser, url, drop } = await createTestDatabase(clusterUrl)
    try {
      await migrateDown(url, { to: await versionBefore('user_times') })
      await settle(superuser, ['notifications', 'alerts', 'trading_strategies', 'backtest_results'])
      await superuser.query(`
        update users set last_login = 'infinity';
        update notifications set created_at = '-infinity', read_at = '0044-03-15 BC';
        update alerts set expires_at = 'infinity', created_at = 'infinity';
        update backtest_results set start_date = '1970-01-01', end_date = '5000-01-01'`)
      await migrateUp(url)
      const { rows } = await superuser.query(`
        select last_login, notifications.created_at::text as reported, read_at, alerts.created_at::text as made, expires_at,
          start_date::text as from, end_date::text as to
        from users, notifications, alerts, backtest_results`)
      expect(rows).toEqual([
        {
          last_login: null,
          reported: '2000-01-01 00:00:00',
          read_at: null,
          made: '2199-12-31 23:59:59.999999',
          expires_at: null,
          from: '2000-01-01 00:00:00',
          to: '2199-12-31 23:59:59.999999',
        },
      ])
      const { rows: logged } = await superuser.query(`
        select user_id, old_data ->> 'created_at' as reported, old_data ->> 'read_at' as read from audit_logs
        where table_name = 'notifications' and operation = 'UPDATE' order by timestamp desc limit 1`)
      expect(logged).toEqual([{ user_id: null, reported: '-infinity', read: '0044-03-15T00:00:00 BC' }])
      const { rows: bound } = await superuser.query(
        `select relforcerowsecurity as forced from pg_class where relname in ('users', 'notifications', 'alerts') and relnamespace = 'public'::regnamespace`,
      )
      expect(bound).toEqual([{ forced: true }, { forced: true }, { forced: true }])
    } finally {
      await drop()
    }
  })

  test('a database without any such time keeps every row as it is', async () => {
    const { superuser, url, drop } = await createTestDatabase(clusterUrl)
    try {
      await migrateDown(url, { to: await versionBefore('user_times') })
      await settle(superuser, ['notifications'])
      const rowsOf = async () =>
        (await superuser.query(`select users::text || notifications::text as row from users, notifications`))
          .rows
      const before = await rowsOf()
      const logged = async () => (await superuser.query('select from audit_logs')).rowCount
      const entries = await logged()
      await migrateUp(url)
      expect(await rowsOf()).toEqual(before)
      expect(await logged()).toBe(entries)
      expect(before[0]?.row).toContain(userId)
    } finally {
      await drop()
    }
  })
})
