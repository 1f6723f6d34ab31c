import { runMigrations } from 'bullmq'
import { describe, expect } from 'vitest'
import { toDecimal } from '../../../src/market/decimal.ts'
import { trackConfigured, upsertCoin } from '../../../src/store/coins.ts'
import { loadPrices } from '../../../src/store/prices.ts'
import { finishRun, startRun } from '../../../src/store/runs.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { plus } from '../../support/at.ts'
import { aBatch, aCandle, loadCandles, now, start } from '../loading.ts'
import { aRow } from '../migrations/valid-rows.ts'
import { aRowOf, logsOfUsers, tablesOfUsers } from './row-level-security-rows.ts'
import {
  deleteFrom,
  insertInto,
  openPoolOf,
  roles,
  type Stage,
  select,
  stages,
  update,
} from './row-level-security-stage.ts'

const everything = 'delete insert select update'
const published = ['coins', 'market_data', 'market_data_daily', 'ohlcv_data', 'daily_price_summary']
const market = [...published, 'summary_days']
const ours = ['candle_coverage', 'candle_revisions', 'ingest_runs', 'instruments', 'quarantined_rows']
const listings = ['fleet_counters', 'instrument_renames', 'listed_markets']
const users = Object.keys(tablesOfUsers)

const onEach = (names: readonly string[], rights: string) =>
  Object.fromEntries(names.map((name) => [name, rights]))
const inApi = (names: readonly string[]) => names.map((name) => `api_v1.${name}`)

/** What each role may do with which relation, or with which of its columns, and nothing else. */
const rightsOf: Readonly<Record<(typeof roles)[number] | 'public', Readonly<Record<string, string>>>> = {
  beacon_app: {
    ...onEach([...market, ...logsOfUsers], 'select'),
    ...onEach(
      users.filter((name) => name !== 'users'),
      everything,
    ),
    users:
      'delete insert(created_at) insert(email) insert(id) insert(last_login) insert(password) insert(updated_at) select update(email) update(id) update(last_login) update(password) update(updated_at)',
    ...onEach(inApi([...published, ...logsOfUsers, ...users]), 'select'),
  },
  beacon_ingest: {
    ...onEach(
      [
        'daily_price_summary',
        'summary_days',
        'archives',
        'partition_holds',
        'retention_policies',
        'retention_policies',
        'archive_digests',
        'archive_checks',
      ],
      'select',
    ),
    ...onEach(['coins', 'market_data', 'market_data_daily', 'ohlcv_data'], 'insert select update'),
    ...onEach(['candle_coverage', 'candle_digests', 'ingest_runs', 'instruments'], 'insert select update'),
    candle_revisions: 'insert select',
    quarantined_rows:
      'insert select update(candle) update(last_seen_at) update(raw) update(reason) update(resolution) update(resolved_at) update(resolved_by) update(resolved_reason) update(run_id) update(times_seen)',
    ...onEach(['fleet_counters', 'listed_markets', 'locks'], 'insert select update'),
    instrument_renames: 'insert select',
    audit_logs: 'insert',
    ...onEach(
      ['request_budget', 'database_samples', 'incidents', 'webhook_deliveries', 'failing_jobs'],
      everything,
    ),
  },
  beacon_readonly: onEach(
    [
      ...market,
      ...ours,
      ...listings,
      'view_refreshes',
      'view_definitions',
      'database_samples',
      'incidents',
      'failing_jobs',
      'archives',
      'partition_holds',
      'retention_policies',
      'candle_digests',
      'archive_digests',
      'archive_checks',
      ...inApi(published),
    ],
    'select',
  ),
  beacon_upkeep: {
    archives: 'select update',
    audit_logs: 'delete insert select',
    archives_sequence_seq: 'usage',
    notifications: 'delete insert select',
    backtest_results: 'delete insert select',
    trading_strategies: 'select(id)',
    users:
      'select(email) select(id) select(status) select(tier) update(email) update(status) update(tier) update(updated_at)',
    profiles: 'select(avatar_url) select(display_name) select(id) update(avatar_url) update(display_name)',
    api_connections:
      'select(api_key) select(api_secret) select(id) select(passphrase) update(api_key) update(api_secret) update(passphrase)',
  },
  // Everybody.
  public: {},
}

async function grantedTo({ database }: Stage, role: string): Promise<Record<string, string>> {
  const { rows } = await database.pool.query<{ relation: string; rights: string }>(
    `with granted as (
       select oid, lower(privilege_type) as what, grantee from pg_class, aclexplode(relacl)
       where relnamespace in ('public'::regnamespace, 'api_v1'::regnamespace)
       union all
       select pg_class.oid, lower(privilege_type) || '(' || attname || ')', grantee
       from pg_attribute join pg_class on pg_class.oid = attrelid, aclexplode(attacl)
       where relnamespace in ('public'::regnamespace, 'api_v1'::regnamespace)
     )
     select oid::regclass::text as relation, string_agg(what, ' ' order by what collate "C") as rights
     from granted where grantee = coalesce(to_regrole(nullif($1, 'public'))::oid, 0) group by oid`,
    [role],
  )
  return Object.fromEntries(rows.map(({ relation, rights }) => [relation, rights]))
}

describe.each(stages)('on $server', ({ test }) => {
  test.for(Object.entries(rightsOf))(
    '%s has exactly the rights it needs',
    async ([role, rights], { stage }) => {
      expect(await grantedTo(stage, role)).toEqual(rights)
    },
  )

  test.for(roles)('%s makes nothing in a schema, and empties no table', async (role, { stage }) => {
    const attempt = (text: string) => stage.attempt({ role }, { text })
    expect(await attempt('create table public.mine ()')).toBe('permission denied for schema public')
    expect(await attempt('create table api_v1.mine ()')).toBe('permission denied for schema api_v1')
    expect(await attempt('create schema mine')).toMatch(/^permission denied for database/)
    for (const table of [...users, ...logsOfUsers, 'coins', 'market_data', 'ohlcv_data']) {
      expect(await attempt(`truncate ${table} cascade`)).toMatch(/^permission denied for table/)
    }
  })

  test.for(['status', 'tier'])(
    'no user can set their own %s, neither at first nor later',
    async (column, { stage }) => {
      const { alice, dave } = stage
      const row = { ...aRowOf('users', dave), [column]: 'chosen' }
      for (const [person, statement] of [
        [alice, update('users', { [column]: 'chosen' }, alice.id)],
        [dave, insertInto('users', row)],
      ] as const)
        expect(await stage.attempt({ role: 'beacon_app', person }, statement)).toBe(
          'permission denied for table users',
        )
    },
  )

  test('nobody may make tables in public where everybody could before version 15', async ({ stage }) => {
    const { rows } = await stage.database.pool.query(
      `select from pg_namespace, aclexplode(nspacl) where nspname = 'public' and grantee = 0 and privilege_type = 'CREATE'`,
    )
    expect(rows).toEqual([])
  })

  test("nobody may call a function that has its owner's rights, but to lock an address", async ({
    stage,
  }) => {
    const { rows } = await stage.database.pool.query<{ name: string; callers: number }>(
      `select proname as name,
         (select count(*)::integer from pg_roles
          where rolname in (${roles.map((role) => `'${role}'`).join(', ')}) and has_function_privilege(rolname, pg_proc.oid, 'execute')) as callers
       from pg_proc where pronamespace = 'public'::regnamespace and prosecdef`,
    )
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.filter(({ callers }) => callers > 0)).toEqual([{ name: 'lock_addresses', callers: 1 }])
  })

  test('every view runs with the rights of its reader', async ({ stage }) => {
    const { rows } = await stage.database.pool.query<{ name: string; options: string[] }>(
      `select relname as name, reloptions as options from pg_class
       where relkind = 'v' and relnamespace in ('public'::regnamespace, 'api_v1'::regnamespace)`,
    )
    expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining([...users, ...logsOfUsers]))
    for (const { name, options } of rows) expect([name, options]).toEqual([name, ['security_invoker=true']])
  })

  test('no role knows what the migrations and the queue keep', async ({ stage }) => {
    const client = await stage.database.ownersPool.connect()
    await runMigrations(client, 'bullmq')
    client.release()
    const { rows } = await stage.database.pool.query<{ name: string }>(
      `select oid::regclass::text as name from pg_class where relnamespace = 'bullmq'::regnamespace and relkind = 'r'`,
    )
    expect(rows.length).toBeGreaterThan(0)
    for (const role of roles) {
      for (const { name } of rows) {
        expect(await stage.attempt({ role }, select(name))).toBe('permission denied for schema bullmq')
      }
      expect(await stage.attempt({ role }, select('schema_migrations'))).toBe(
        'permission denied for table schema_migrations',
      )
    }
  })

  test('no role reaches a partition by its own name', async ({ stage }) => {
    const { rows } = await stage.database.pool.query<{ name: string; parent: string }>(
      `select child.relname as name, inhparent::regclass::text as parent
       from pg_class as child join pg_inherits on inhrelid = child.oid where child.relispartition and relkind in ('r', 'p')`,
    )
    expect(rows.map(({ parent }) => parent)).toEqual(
      expect.arrayContaining(['ohlcv_data', 'ohlcv_data_1m', 'market_data']),
    )
    for (const role of roles) {
      for (const { name, parent } of rows) {
        const row = aRow(parent.startsWith('ohlcv') ? 'ohlcv_data' : 'market_data')
        for (const statement of [
          select(name),
          insertInto(name, row),
          update(name, { coin_id: 'bitcoin' }),
          deleteFrom(name),
        ]) {
          expect(await stage.attempt({ role }, statement)).toBe(`permission denied for table ${name}`)
        }
      }
    }
  })

  const reaching: readonly Readonly<{ role: (typeof roles)[number]; relations: readonly string[] }>[] = [
    { role: 'beacon_app', relations: [...market, ...inApi(published)] },
    { role: 'beacon_ingest', relations: market },
    { role: 'beacon_readonly', relations: [...market, ...inApi(published)] },
  ]
  test.for(reaching)('$role reads the market', async ({ role, relations }, { stage }) => {
    for (const relation of relations) expect(await stage.attempt({ role }, select(relation))).toBe(0)
  })

  test.for(['beacon_ingest', 'beacon_readonly'])('%s sees no table of users', async (role, { stage }) => {
    const by = { role, person: stage.alice }
    for (const table of [...users, ...logsOfUsers]) {
      expect(await stage.attempt(by, select(table))).toBe(`permission denied for table ${table}`)
      expect(await stage.attempt(by, select(`api_v1.${table}`))).toMatch(
        /^permission denied for (schema api_v1|view)/,
      )
    }
  })

  test.for(['beacon_app', 'beacon_readonly', 'beacon_upkeep'])(
    '%s does not write the market',
    async (role, { stage }) => {
      for (const table of ['coins', 'market_data', 'ohlcv_data']) {
        const denied = `permission denied for table ${table}`
        const row = aRow(table)
        expect(await stage.attempt({ role }, insertInto(table, row))).toBe(denied)
        expect(await stage.attempt({ role }, update(table, row))).toBe(denied)
        expect(await stage.attempt({ role }, deleteFrom(table))).toBe(denied)
      }
    },
  )

  describe('beacon_upkeep', () => {
    const role = 'beacon_upkeep'

    test('reads and writes what is encrypted, of all users', async ({ stage }) => {
      for (const [text, count] of [
        ['update users set email = email || id returning id', 3],
        ['update profiles set display_name = null, avatar_url = null returning id', 2],
        [
          'update api_connections set api_key = api_key, api_secret = null, passphrase = null returning id',
          2,
        ],
        ['select id from notifications', 2],
        ['delete from notifications', 2],
      ] as const) {
        expect(await stage.attempt({ role }, { text })).toBe(count)
      }
    })

    test.for([
      'select password from users',
      "update users set password = 'known'",
      'delete from users',
      'select preferences from profiles',
      'select permissions from api_connections',
      'select from trades',
      'update audit_logs set user_id = null',
    ])('does not: %s', async (text, { stage }) => {
      expect(await stage.attempt({ role }, { text })).toMatch(/^permission denied for table/)
    })
  })

  test("beacon_app finds a user's rows of each table by an index", async ({ stage }) => {
    const client = await stage.database.ownersPool.connect()
    try {
      await client.query(`begin; set local enable_seqscan = off; set local role beacon_app`)
      await client.query(`select set_config('app.user_id', $1, true)`, [stage.alice.id])
      for (const table of [...users, ...logsOfUsers]) {
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `explain (costs off) select * from api_v1.${table}`,
        )
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
        expect(plan).toMatch(new RegExp(`Index .*Scan .*${table}`))
        expect(plan).not.toContain('Seq Scan')
      }
    } finally {
      await client.query('rollback')
      client.release()
    }
  })

  test('beacon_ingest loads the market where the partitions are there', async ({ stage }) => {
    const connectionString = stage.database.owner.urlOf(stage.database.url)
    const pool = openPoolOf(connectionString, { max: 1, options: '-c role=beacon_ingest' })
    try {
      expect((await pool.query('select current_user as role')).rows).toEqual([{ role: 'beacon_ingest' }])
      const db = databaseOf(pool)
      const series = { coinId: 'loaded', timeframe: '1m', source: 'binance' } as const
      await upsertCoin(db, series.coinId, { symbol: 'L', name: 'Loaded' }, now)
      await inTransaction(pool, (tx) =>
        trackConfigured(
          tx,
          [{ id: 'tracked', symbol: 'F', name: 'Followed', markets: { binance: 'FUSDT' } }],
          now,
        ),
      )
      const runId = await startRun(db, {
        job: 'ingest-candles',
        queue: 'binance',
        jobId: 'one',
        attempt: 1,
        payload: {},
        startedAt: now,
      })
      const rejected = [{ raw: 'not a candle', reason: 'not believed', openTime: plus(start, 120_000) }]
      const candles = [aCandle(start), aCandle(plus(start, 60_000))]
      const first = await inTransaction(pool, (tx) =>
        loadCandles(tx, aBatch(series, candles, { rejected, runId })),
      )
      expect(first).toEqual({ received: 3, new: 2, revised: 0, unchanged: 0, quarantined: 1 })
      const corrected = [aCandle(start, { close: '11.5' })]
      const second = await inTransaction(pool, (tx) => loadCandles(tx, aBatch(series, corrected, { runId })))
      expect(second).toMatchObject({ received: 1, revised: 1 })
      const price = { market: 'LUSDT', timestamp: start, price: toDecimal('1') }
      expect(await inTransaction(pool, (tx) => loadPrices(tx, [{ coinId: series.coinId, price }]))).toBe(1)
      await finishRun(db, runId, { status: 'done', outcome: {} }, now)
    } finally {
      await pool.end()
    }
  })

  test('beacon_ingest does not load where a coin is not there', async ({ stage }) => {
    const row = aRow('market_data', { coin_id: 'nobody', timestamp: '2024-03-01' })
    await expect(stage.attempt({ role: 'beacon_ingest' }, insertInto('market_data', row))).rejects.toThrow(
      'violates foreign key constraint',
    )
  })
})
