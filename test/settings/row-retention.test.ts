import { expect } from 'vitest'
import { agingTables, lastingTables, rowPolicyObjection } from '../../src/settings/row-retention.ts'
import { readShape } from '../../src/store/lifecycle/archives/archive-content.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'

test('every table either loses rows by a time that it has, or says why it keeps them', async ({ pool }) => {
  const { rows } = await pool.query<{ name: string; times: string[] | null }>(`
    select relname as name, array_agg(attname::text) filter (where atttypid = 'timestamp'::regtype) as times
    from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0
    where relnamespace = 'public'::regnamespace and relkind = 'r' and not relispartition and relname not like 'beacon_%'
      and relname not in ('schema_migrations', 'undone_migrations')
    group by relname order by relname`)
  const listed = [...Object.keys(agingTables), ...Object.keys(lastingTables)].toSorted()
  expect(listed).toEqual(rows.map(({ name }) => name))
  for (const { name, times } of rows)
    for (const column of agingTables[name]?.by ?? [])
      expect([name, times]).toEqual([name, expect.arrayContaining([column])])
})

test('each of them can be archived: it has a key', async ({ pool }) => {
  for (const table of Object.keys(agingTables)) {
    const { key } = await readShape(databaseOf(pool), { schema: 'public', name: table })
    expect([table, key]).toEqual([table, ['id']])
  }
})

test.for(['market_data', 'ohlcv_data', 'ohlcv_data_15m'])('%s has its policy elsewhere', (table) => {
  expect(rowPolicyObjection(table, { by: 'timestamp' })?.message).toContain(
    'where its timeframe, or prices, are set',
  )
})
