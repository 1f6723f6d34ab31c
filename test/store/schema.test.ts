import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { candleCoverage, ingestRuns, instruments } from '../../drizzle/schema/ingest.ts'
import { coins, marketData, ohlcvData } from '../../drizzle/schema/market-data.ts'
import { readMigrations } from '../../src/store/migration-files.ts'
import { migrateDown, migrateUp } from '../../src/store/migrations.ts'
import { createEmptyDatabase, type TestDatabase, test } from '../support/database.ts'

/** A database without a table, for the length of the work. */
async function onEmptyDatabase(work: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = await createEmptyDatabase()
  try {
    await work(database)
  } finally {
    await database.drop()
  }
}

/** Everything of the schema that the catalog can say: relations, columns, constraints, indexes, views, comments. */
async function describeSchema(pool: Pool): Promise<unknown> {
  const { rows } = await pool.query(`
    select 'relation' as kind, relname as of, relkind::text || coalesce(' ' || pg_get_partkeydef(oid), '') as what
    from pg_class where relnamespace = 'public'::regnamespace
    union all
    select 'column', attrelid::regclass::text || '.' || attname,
      format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
    from pg_attribute join pg_class on pg_class.oid = attrelid left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where relnamespace = 'public'::regnamespace and attnum > 0 and not attisdropped
    union all
    select 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
    union all
    select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
    union all
    select 'view', matviewname, definition from pg_matviews where schemaname = 'public'
    union all
    select 'comment', objoid::regclass::text || '.' || objsubid, description
    from pg_description where classoid = 'pg_class'::regclass and objoid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
    order by 1, 2, 3`)
  return rows
}

const coin = `insert into coins (id, symbol, name, created_at, updated_at) values ('bitcoin', 'BTC', 'Bitcoin', now(), now())`

describe('the migrations', () => {
  test('up, down and up again leave the same schema, step by step', () =>
    onEmptyDatabase(async ({ url, pool }) => {
      const names = (await readMigrations()).map(({ name }) => name)
      await migrateUp(url)
      const whole = await describeSchema(pool)
      for (const name of ['0', ...names.slice(0, -1)]) {
        await migrateDown(url, { to: name })
        await migrateUp(url)
        expect(await describeSchema(pool)).toEqual(whole)
      }
    }))

  test('can be undone with data in the tables', () =>
    onEmptyDatabase(async ({ url, pool }) => {
      await migrateUp(url)
      const whole = await describeSchema(pool)
      await pool.query(coin)
      await pool.query(
        `create table ohlcv_data_1d_y2024 partition of ohlcv_data_1d for values from ('2024-01-01') to ('2025-01-01')`,
      )
      await pool.query(`insert into ohlcv_data values ('bitcoin', '2024-03-01', '1d', 1, 2, 1, 2, 10)`)
      await migrateDown(url, { to: '0' })
      const { rows } = await pool.query(
        `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'm')`,
      )
      expect(rows).toEqual([{ relname: 'schema_migrations' }])
      await migrateUp(url)
      expect(await describeSchema(pool)).toEqual(whole)
    }))
})

const tables: readonly PgTable[] = [coins, marketData, ohlcvData, instruments, candleCoverage, ingestRuns]

/** Names by which the two sides call the same type. */
const sameType: Readonly<Record<string, string>> = { timestamp: 'timestamp without time zone' }

describe('the drizzle schema', () => {
  test.for(tables.map((table) => getTableConfig(table)))(
    'says of $name what the database says',
    async ({ name, columns }, { pool }) => {
      const { rows } = await pool.query<{ column: string; type: string; required: boolean }>(
        `select attname as column, format_type(atttypid, atttypmod) as type, attnotnull as required
       from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attname`,
        [name],
      )
      const declared = columns.map((column) => {
        const type = column.getSQLType().replace('varchar', 'character varying').replace(', ', ',')
        return { column: column.name, type: sameType[type] ?? type, required: column.notNull }
      })
      expect(declared.toSorted((a, b) => (a.column < b.column ? -1 : 1))).toEqual(rows)
    },
  )
})
