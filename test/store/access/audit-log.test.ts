import { readFile } from 'node:fs/promises'
import { drizzle } from 'drizzle-orm/node-postgres'
import type { Pool, PoolClient } from 'pg'
import { describe, expect } from 'vitest'
import { minute, plus } from '../../../src/market/instant.ts'
import { withUser } from '../../../src/store/acting.ts'
import { copyField, copyInto } from '../../../src/store/candles/copy.ts'
import { recordMaintenance } from '../../../src/store/maintenance-audit.ts'
import { finishRun, listRuns, startRun } from '../../../src/store/runs.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { servers } from '../../support/database.ts'
import { aBatch, aSeries, candlesIn, load, minutes, now } from '../loading.ts'
import { aRow, insertRow, insertValid, type Row, refusal, userId } from '../migrations/valid-rows.ts'
import { beginOn, testOn } from '../on-server.ts'
import { createOwnedDatabase } from './row-level-security-stage.ts'

const denied = '42501'

/** What is encrypted or hashed in each table that has any of it. */
const redacted: Readonly<Record<string, readonly string[]>> = {
  users: ['email', 'password'],
  profiles: ['display_name', 'avatar_url'],
  api_connections: ['api_key', 'api_secret', 'passphrase'],
}

/** The tables of users, each after those that it refers to, and a change to make there. */
const changes: Readonly<Record<string, Row>> = {
  users: { last_login: '2024-05-17T12:00:00' },
  profiles: { preferences: '{"theme": "light"}' },
  trading_accounts: { balance: '0.1' },
  trading_strategies: { is_active: false },
  positions: { amount: '0' },
  trades: { profit_loss: null },
  backtest_results: { trades_count: 43 },
  alerts: { status: 'paused' },
  notifications: { read_at: null },
  api_connections: { permissions: ['read', 'trade'] },
}
const tables = Object.keys(changes)

type Entry = Readonly<{
  operation: string
  userId: string | null
  recordId: string | null
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}>

/** What the log says of a table, in the order in which it was written. */
async function logOf(client: Pool | PoolClient, table: string): Promise<Entry[]> {
  const { rows } = await client.query<Entry>(
    `select operation, user_id as "userId", record_id as "recordId", old_data as before, new_data as after
     from audit_logs where table_name = $1 order by timestamp`,
    [table],
  )
  return rows
}

const operations = (log: readonly Entry[]): string[] => log.map(({ operation }) => operation)

async function actAs(client: PoolClient, role: string, id = userId): Promise<void> {
  await client.query(`select set_config('role', $1, true), set_config('app.user_id', $2, true)`, [role, id])
}

/** Back to the login, which is a superuser and sees all. */
const actAsLogin = (client: PoolClient) => client.query('reset role')

/** The only row of a table, as the log would show it. */
async function shown(client: PoolClient, table: string): Promise<Record<string, unknown>> {
  const { rows } = await client.query<{ row: Record<string, unknown> }>(
    `select to_jsonb(${table}) as row from ${table}`,
  )
  const hidden = (redacted[table] ?? []).map((name) => [name, '[redacted]'])
  return { ...rows[0]?.row, ...Object.fromEntries(hidden) }
}

const update = async (client: PoolClient, table: string, change: Row) => {
  const columns = Object.keys(change).map((name, index) => `${name} = $${index + 1}`)
  await client.query(`update ${table} set ${columns.join(', ')}`, Object.values(change))
}

/** Tables whose policy asks for the user, and that some write could change without a row in the log. */
async function unaudited(client: PoolClient): Promise<string[]> {
  // Of a trigger's type the bits are: 1 each row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate.
  const { rows } = await client.query<{ name: string }>(`
    select distinct relname as name
    from pg_policy join pg_class on pg_class.oid = polrelid
    where pg_get_expr(polqual, polrelid) like '%current_user_id()%' and relname <> 'audit_logs'
      and 2 > (
        select count(*) from pg_trigger
        where tgrelid = polrelid and tgenabled = 'A' and tgqual is null and cardinality(tgattr::smallint[]) = 0
          and (tgfoid, tgtype) in (('audit_row_write'::regproc, 1 + 4 + 8 + 16), ('audit_truncate'::regproc, 32))
      )
    order by name`)
  return rows.map(({ name }) => name)
}

/** Every way to change or empty the log, also where there is nothing to change. */
const changesOfTheLog = [
  `update audit_logs set user_id = null`,
  `update audit_logs set operation = 'INSERT' where false`,
  `delete from audit_logs`,
  `delete from audit_logs where false`,
  `truncate audit_logs`,
  `truncate users, audit_logs cascade`,
  `insert into audit_logs select * from audit_logs on conflict (id) do update set user_id = null`,
  `merge into audit_logs using (values (1)) as one on true when matched then delete`,
  `delete from api_v1.audit_logs`,
  `update api_v1.audit_logs set user_id = null`,
]

const onServers = servers.map(({ server, clusterUrl }) => ({
  server,
  test: testOn(clusterUrl)
    .extend('owned', { scope: 'file' }, async ({ clusterUrl: url }, { onCleanup }) => {
      const owned = await createOwnedDatabase(url)
      onCleanup(owned.drop)
      return owned
    })
    .extend('ownedClient', ({ owned }, { onCleanup }) => beginOn(owned.pool, onCleanup)),
}))

describe.each(onServers)('the audit log on $server', ({ test }) => {
  describe('hears of', () => {
    test('every table of users, whatever the write', async ({ client }) => {
      const { rows } = await client.query<{ name: string }>(
        `select tgrelid::regclass::text as name from pg_trigger where tgfoid = 'audit_row_write'::regproc`,
      )
      expect(rows.map(({ name }) => name).toSorted()).toEqual(tables.toSorted())
      expect(await unaudited(client)).toEqual([])
    })

    test.for([
      ['alerts', 'alter table alerts disable trigger audit_row_write'],
      ['alerts', 'alter table alerts enable trigger audit_row_write'],
      ['trades', 'drop trigger audit_truncate on trades'],
      ['notes', 'create table notes (id uuid); create policy mine on notes using (id = current_user_id())'],
    ] as const)('all of them: %s would be noticed after "%s"', async ([table, statement], { client }) => {
      await client.query(statement)
      expect(await unaudited(client)).toEqual([table])
    })

    test.for(Object.entries(changes))('what a user writes into %s', async ([table, change], { client }) => {
      await insertValid(client, tables.slice(0, tables.indexOf(table)))
      await actAs(client, 'beacon_app')
      await insertRow(client, table, aRow(table))
      const inserted = await shown(client, table)
      await update(client, table, change)
      const updated = await shown(client, table)
      await client.query(`delete from ${table}`)
      await actAsLogin(client)
      const entry = { userId, recordId: aRow(table).id }
      expect(updated).not.toEqual(inserted)
      expect(await logOf(client, table)).toEqual([
        { ...entry, operation: 'INSERT', before: null, after: inserted },
        { ...entry, operation: 'UPDATE', before: inserted, after: updated },
        { ...entry, operation: 'DELETE', before: updated, after: null },
      ])
    })

    test('what a deletion takes along, with the user who deleted', async ({ client }) => {
      await insertValid(client, ['users', 'profiles', 'alerts', 'notifications', 'api_connections'])
      await insertValid(client, ['trading_strategies', 'trading_accounts', 'trades', 'backtest_results'])
      await actAs(client, 'beacon_app')
      await client.query('delete from trading_strategies')
      await client.query('delete from trades')
      await client.query('delete from trading_accounts')
      await client.query('delete from users')
      await actAsLogin(client)
      const { rows } = await client.query<{ what: string }>(
        `select operation || ' ' || table_name as what from audit_logs where user_id = $1 order by what`,
        [userId],
      )
      const gone = ['alerts', 'api_connections', 'backtest_results', 'notifications', 'profiles', 'trades']
      expect(rows.map(({ what }) => what)).toEqual([
        ...[...gone, 'trading_accounts', 'trading_strategies', 'users'].map((table) => `DELETE ${table}`),
        'UPDATE trades',
      ])
      const [, freed] = await logOf(client, 'trades')
      expect(freed).toMatchObject({
        before: { strategy_id: aRow('trades').strategy_id },
        after: { strategy_id: null },
      })
    })

    test('every row of a statement, and of a COPY', async ({ client }) => {
      await insertValid(client, ['users'])
      const { id: _, ...alert } = aRow('alerts', { notification_channels: '{email}' })
      const line = Object.values(alert)
        .map((value) => copyField(String(value)))
        .join('\t')
      await copyInto({ client, db: drizzle(client) }, 'alerts', Object.keys(alert), [line, line, line])
      await update(client, 'alerts', { note: null })
      const log = await logOf(client, 'alerts')
      expect(operations(log)).toEqual(['INSERT', 'INSERT', 'INSERT', 'UPDATE', 'UPDATE', 'UPDATE'])
      expect(new Set(log.map(({ recordId }) => recordId)).size).toBe(3)
    })

    test('each half of an upsert, also where it changes nothing', async ({ client }) => {
      await insertValid(client, ['users'])
      await actAs(client, 'beacon_app')
      const profile = aRow('profiles')
      await insertRow(client, 'profiles', profile)
      const ending = 'on conflict (id) do update set preferences = excluded.preferences'
      await insertRow(client, 'profiles', { ...profile, preferences: '{}' }, ending)
      await insertRow(client, 'profiles', { ...profile, preferences: '{}' }, ending)
      await insertRow(client, 'profiles', profile, 'on conflict do nothing')
      await actAsLogin(client)
      const log = await logOf(client, 'profiles')
      expect(operations(log)).toEqual(['INSERT', 'UPDATE', 'UPDATE'])
      expect(log[1]).toMatchObject({ before: { preferences: { theme: 'dark' } }, after: { preferences: {} } })
      expect(log[2]?.after).toEqual(log[2]?.before)
    })

    test('a table that was emptied, and those emptied with it', async ({ client }) => {
      await insertValid(client, ['users', 'trading_strategies'])
      await client.query('truncate trading_strategies cascade')
      const { rows } = await client.query(
        `select table_name, record_id, old_data from audit_logs where operation = 'TRUNCATE' order by table_name`,
      )
      expect(rows).toEqual(
        ['backtest_results', 'trades', 'trading_strategies'].map((table) => ({
          table_name: table,
          record_id: null,
          old_data: null,
        })),
      )
    })

    test('a write with replication rights, which other triggers do not hear of', async ({ client }) => {
      await client.query('set local session_replication_role = replica')
      await insertValid(client, ['users'])
      expect(operations(await logOf(client, 'users'))).toEqual(['INSERT'])
    })
  })

  describe('does not hear of', () => {
    test('what was rolled back', async ({ client }) => {
      await insertValid(client, ['users'])
      await client.query('savepoint before')
      await update(client, 'users', { last_login: '2024-05-17T12:00:00' })
      await client.query('rollback to savepoint before')
      expect(operations(await logOf(client, 'users'))).toEqual(['INSERT'])
    })

    test('candles, whose load has its run instead', async ({ pool }) => {
      const db = databaseOf(pool)
      const entries = async () => (await logOf(pool, 'ohlcv_data_1m')).length
      const series = await aSeries(pool)
      await load(pool, aBatch(series, candlesIn(minutes(0, 1))))
      // That made the partition, which has an entry.
      const before = await entries()
      const run = { job: 'backfill-candles', queue: 'binance', jobId: 'backfill-1', attempt: 1, payload: {} }
      const runId = await startRun(db, { ...run, startedAt: now })
      const batch = aBatch(series, candlesIn(minutes(0, 1_000)), { runId })
      const outcome = await load(pool, batch)
      await finishRun(db, runId, { status: 'done', outcome }, plus(now, minute))
      expect(outcome).toMatchObject({ received: 1_000, new: 999 })
      expect(await listRuns(db, 1)).toMatchObject([{ id: runId, outcome: { received: 1_000 } }])
      expect(await entries()).toBe(before)
    })
  })

  describe('shows', () => {
    test('nothing that the database says is encrypted or hashed, and all the rest', async ({ client }) => {
      const { rows } = await client.query<{ table: string; comment: string[]; trigger: string[] }>(`
        select relname as table,
          array(
            select attname::text from pg_attribute
            where attrelid = tgrelid and col_description(attrelid, attnum) ~ '^(Encrypted|A hash) ' order by attname
          ) as comment,
          array(
            select name from unnest(string_to_array(trim(trailing '~' from replace(encode(tgargs, 'escape'), '\\000', '~')), '~')) as name
            order by name
          ) as trigger
        from pg_trigger join pg_class on pg_class.oid = tgrelid
        where tgfoid = 'audit_row_write'::regproc`)
      for (const { table, comment, trigger } of rows) {
        const expected = (redacted[table] ?? []).toSorted()
        expect({ table, comment, trigger }).toEqual({ table, comment: expected, trigger: expected })
      }
    })

    test.for(Object.entries(redacted))(
      'that a secret of %s has changed, and not to what',
      async ([table, secrets], { client }) => {
        await insertValid(client, ['users', ...(table === 'users' ? [] : [table])])
        const [changed = '', kept = ''] = secrets
        await update(client, table, { [changed]: 'confidential' })
        if (table !== 'users') await update(client, table, { [secrets.at(-1) ?? '']: null })
        const log = await logOf(client, table)
        expect(log[1]).toMatchObject({
          before: { [changed]: '[redacted]', [kept]: '[redacted]' },
          after: { [changed]: '[redacted, changed]', [kept]: '[redacted]' },
        })
        if (table !== 'users') expect(log[2]?.after).toMatchObject({ [secrets.at(-1) ?? '']: null })
        const { rows } = await client.query<{ line: string }>(
          'select audit_logs::text as line from audit_logs',
        )
        const values = ['confidential', ...secrets.map((name) => String(aRow(table)[name]))]
        expect(values.filter((value) => rows.some(({ line }) => line.includes(value)))).toEqual([])
      },
    )

    test('every digit of a number', async ({ client }) => {
      const balance = '9999999999999999.12345670'
      await insertValid(client, ['users'])
      await insertRow(
        client,
        'trading_accounts',
        aRow('trading_accounts', { balance, initial_balance: '1.5' }),
      )
      await update(client, 'trading_accounts', { balance: '-0.00000001' })
      const { rows } = await client.query(
        `select old_data ->> 'balance' as before, new_data ->> 'balance' as after, new_data ->> 'initial_balance' as initial
         from audit_logs where table_name = 'trading_accounts' order by timestamp`,
      )
      expect(rows).toEqual([
        { before: null, after: balance, initial: '1.50000000' },
        { before: balance, after: '-0.00000001', initial: '1.50000000' },
      ])
    })

    test('a large document whole', async ({ client }) => {
      await insertValid(client, ['users', 'trading_strategies', 'backtest_results'])
      await client.query(`
        update backtest_results
        set results_data = (select jsonb_agg(md5(step::text)) from generate_series(1, 50000) as step)`)
      const { rows } = await client.query(`
        select jsonb_array_length(results_data) as length, pg_column_size(new_data) > 1000000 as large,
          new_data -> 'results_data' = results_data as whole
        from audit_logs, backtest_results where operation = 'UPDATE' and table_name = 'backtest_results'`)
      expect(rows).toEqual([{ length: 50_000, large: true, whole: true }])
    })

    test.for(['Asia/Kolkata', 'Pacific/Kiritimati', 'America/St_Johns'])(
      'when it was, in UTC, to a session in %s',
      async (zone, { client }) => {
        await client.query(`select set_config('timezone', $1, true)`, [zone])
        await insertValid(client, ['users'])
        await client.query('truncate alerts')
        const { rows } = await client.query(`
          select count(*)::integer, bool_and(timestamp between (now() at time zone 'UTC') and (clock_timestamp() at time zone 'UTC')) as right
          from audit_logs where table_name in ('users', 'alerts')`)
        expect(rows).toEqual([{ count: 2, right: true }])
      },
    )
  })

  describe('cannot be changed', () => {
    for (const replication of ['origin', 'replica']) {
      test(`by a superuser, with replication rights of ${replication}`, async ({ client }) => {
        await insertValid(client, ['users'])
        await client.query(`set local session_replication_role = ${replication}`)
        for (const statement of changesOfTheLog) {
          expect(await refusal(client, () => client.query(statement)), statement).toBe(denied)
        }
        expect(operations(await logOf(client, 'users'))).toEqual(['INSERT'])
      })
    }

    test('by any role of ours', async ({ client }) => {
      await insertValid(client, ['users'])
      for (const role of ['beacon_app', 'beacon_ingest', 'beacon_readonly', 'beacon_upkeep']) {
        await actAs(client, role)
        for (const statement of changesOfTheLog) {
          // It may delete what is written of records that are gone, and here there are none.
          if (role === 'beacon_upkeep' && statement === 'delete from audit_logs where false') continue
          expect(await refusal(client, () => client.query(statement)), `${role}: ${statement}`).toBe(denied)
        }
      }
    })

    test('but maintenance deletes what was written of a record, once the record is gone', async ({
      client,
    }) => {
      await insertValid(client, ['users', 'notifications', 'alerts'])
      await client.query('delete from notifications')
      await client.query(`
        insert into audit_logs (id, table_name, operation, new_data)
        values (gen_random_uuid(), 'notifications', 'PURGE', '{"actor": "a job", "entity": "notifications"}')`)
      await actAs(client, 'beacon_upkeep')
      const { rowCount } = await client.query(
        `delete from audit_logs where table_name = 'notifications' and record_id is not null`,
      )
      expect(rowCount).toBe(2)
      for (const which of [`operation = 'PURGE'`, `table_name = 'users'`])
        expect(
          await refusal(client, () => client.query(`delete from audit_logs where ${which}`)),
          which,
        ).toBe(denied)
    })
  })

  describe('of maintenance', () => {
    const entry = (data: string, operation = 'DROP') =>
      `insert into audit_logs (id, table_name, operation, new_data) values (gen_random_uuid(), 'ohlcv_data_5m', '${operation}', '${data}')`
    const valid = '{"actor": "beacon daemon", "entity": "ohlcv_data_5m_y2024m05d17"}'

    test('has its own kind of entry, which says who did it to what, and which no user sees', async ({
      client,
    }) => {
      const db = drizzle({ client })
      const entity = 'ohlcv_data_5m_y2024m05d17'
      await recordMaintenance(db, {
        operation: 'CREATE',
        table: 'ohlcv_data_5m',
        entity,
        details: { rows: 3 },
      })
      await recordMaintenance(db, {
        operation: 'UNTRACK',
        table: 'instruments',
        entity: 'bitcoin',
        actor: 'ada',
      })
      const written = await logOf(client, 'ohlcv_data_5m')
      expect(written).toMatchObject([
        { operation: 'CREATE', userId: null, recordId: null, after: { actor: 'beacon', entity, rows: 3 } },
      ])
      expect(await logOf(client, 'instruments')).toMatchObject([
        { after: { actor: 'ada', entity: 'bitcoin' } },
      ])
      await actAs(client, 'beacon_app')
      expect((await client.query('select from audit_logs')).rowCount).toBe(0)
      await actAs(client, 'beacon_upkeep')
      expect((await client.query('select from audit_logs')).rowCount).toBeGreaterThan(1)
    })

    test('takes no entry that does not say so much, or that passes for a write of a user', async ({
      client,
    }) => {
      await actAs(client, 'beacon_upkeep')
      await client.query(entry(valid))
      const refused = '23514 audit_logs_operation_known'
      expect(await refusal(client, () => client.query(entry('{"actor": "a job"}')))).toBe(refused)
      expect(await refusal(client, () => client.query(entry('{"entity": "a table"}')))).toBe(refused)
      expect(await refusal(client, () => client.query(entry(valid, 'DELETE')))).toBe(denied)
    })

    test('takes those of what beacon_ingest changes by command, and nothing that passes for a user', async ({
      client,
    }) => {
      await actAs(client, 'beacon_ingest')
      await client.query(entry(valid, 'REPLACE'))
      expect(await refusal(client, () => client.query(entry(valid, 'DELETE')))).toBe(denied)
      expect(await refusal(client, () => client.query('select from audit_logs'))).toBe(denied)
    })

    for (const role of ['beacon_app', 'beacon_readonly'])
      test(`takes none from ${role}`, async ({ client }) => {
        await actAs(client, role)
        expect(await refusal(client, () => client.query(entry(valid)))).toBe(denied)
      })

    test('is the only one of rows that are moved together, but what a deletion takes along is logged', async ({
      client,
    }) => {
      await insertValid(client, ['users', 'notifications'])
      const before = await logOf(client, 'notifications')
      await actAs(client, 'beacon_upkeep')
      await client.query(`set local app.rows_have_one_entry = 'yes'`)
      await client.query('delete from notifications')
      await insertValid(client, ['notifications'])
      await actAsLogin(client)
      expect(await logOf(client, 'notifications')).toEqual(before)
      await client.query('delete from notifications')
      expect(operations(await logOf(client, 'notifications'))).toEqual(['INSERT', 'DELETE'])
    })

    test('is left out by no application', async ({ client }) => {
      await insertValid(client, ['users', 'alerts'])
      await actAs(client, 'beacon_app')
      await client.query(`set local app.rows_have_one_entry = 'yes'`)
      await client.query('delete from alerts')
      await actAsLogin(client)
      expect(operations(await logOf(client, 'alerts'))).toEqual(['INSERT', 'DELETE'])
    })
  })

  describe('cannot be forged by the application', () => {
    const entry = `(id, table_name, operation, user_id) values (gen_random_uuid(), 'users', 'DELETE', '${userId}')`

    test.for([
      `insert into audit_logs ${entry}`,
      `insert into api_v1.audit_logs ${entry}`,
      `create temporary table users (id uuid); create trigger forge after insert on users for each row execute function audit_row_write()`,
      `create temporary table users (id uuid); create trigger forge after truncate on users execute function audit_truncate()`,
      `select audit_row_write()`,
      `alter table alerts disable trigger audit_row_write`,
      `drop trigger audit_row_write on alerts`,
      `create trigger forge before insert on alerts for each row execute function refuse_change()`,
      `set local session_replication_role = replica`,
      `create or replace function current_user_id() returns uuid language sql as 'select gen_random_uuid()'`,
      `alter function current_user_id() set app.user_id = ''`,
      `alter function audit_row_write() security invoker`,
      `create function public.jsonb_set(jsonb, text[], text) returns jsonb language sql as 'select null::jsonb'`,
      `create rule forge as on insert to alerts do instead nothing`,
      `alter table audit_logs no force row level security`,
      `drop policy audit_logs_append on audit_logs`,
    ])('with "%s"', async (statement, { client }) => {
      await insertValid(client, ['users'])
      await actAs(client, 'beacon_app')
      expect(await refusal(client, () => client.query(statement))).toBe(denied)
    })

    test('with tables and functions of the same names in a schema that it searches first', async ({
      client,
    }) => {
      // Text fits the literal of the call better than the jsonb of the real one.
      await client.query(`
        create function public.jsonb_set(jsonb, text[], text) returns jsonb language sql as $$ select '{}'::jsonb $$;
        create schema hostile;
        grant usage on schema hostile to beacon_app;
        create table hostile.audit_logs (like public.audit_logs);
        create function hostile.jsonb_set(jsonb, text[], jsonb) returns jsonb language sql as $$ select '{}'::jsonb $$;
        create function hostile.current_user_id() returns uuid language sql as 'select gen_random_uuid()';
        create function hostile.gen_random_uuid() returns uuid language sql as 'select null::uuid'`)
      await actAs(client, 'beacon_app')
      await client.query(`
        create temporary table audit_logs (like public.audit_logs);
        set local search_path = pg_temp, hostile, public, pg_catalog`)
      await insertRow(client, 'users', aRow('users'))
      await actAsLogin(client)
      await client.query('set local search_path = public; drop table pg_temp.audit_logs')
      expect(await logOf(client, 'users')).toMatchObject([
        { operation: 'INSERT', userId, recordId: userId, after: { tier: 'free', email: '[redacted]' } },
      ])
    })
  })

  describe('where a plain login owns the tables', () => {
    test('hears of what its users write, and of what a deletion takes along', async ({ owned }) => {
      await withUser(owned.ownersPool, userId, async ({ client }) => {
        await insertValid(client, ['users', 'profiles'])
        await update(client, 'users', { last_login: '2024-05-17T12:00:00' })
        await client.query('delete from users')
      })
      const { rows } = await owned.pool.query<{ what: string }>(
        `select table_name || ' ' || operation as what from audit_logs where user_id = $1 order by timestamp`,
        [userId],
      )
      expect(rows.map(({ what }) => what).toSorted()).toEqual([
        'profiles DELETE',
        'profiles INSERT',
        'users DELETE',
        'users INSERT',
        'users UPDATE',
      ])
    })

    for (const replication of ['origin', 'replica']) {
      test(`cannot be changed by the owner, with replication rights of ${replication}`, async ({
        owned,
        ownedClient: client,
      }) => {
        await client.query('truncate alerts')
        await client.query(`set local session_replication_role = ${replication}`)
        await client.query(`set local role ${owned.owner.name}`)
        for (const statement of changesOfTheLog) {
          expect(await refusal(client, () => client.query(statement)), statement).toBe(denied)
        }
        await actAsLogin(client)
        expect(operations(await logOf(client, 'alerts'))).toEqual(['TRUNCATE'])
      })
    }

    test('takes nothing from the owner but through the triggers', async ({ owned, ownedClient: client }) => {
      await client.query(`set local role ${owned.owner.name}`)
      const forge = `insert into audit_logs (id, table_name, operation) values (gen_random_uuid(), 'users', 'DELETE')`
      expect(await refusal(client, () => client.query(forge))).toBe(denied)
    })
  })

  describe('is read as its guide says:', () => {
    test('a user sees what was written for them', async ({ client }) => {
      const [ofUser = ''] = await queriesOfTheGuide()
      await insertValid(client, ['users', 'alerts'])
      await actAs(client, 'beacon_app')
      await update(client, 'alerts', { status: 'paused' })
      await update(client, 'users', { last_login: '2024-05-17T12:00:00' })
      const { rows } = await client.query<{ operation: string; table_name: string }>(ofUser)
      expect(rows).toMatchObject([
        { operation: 'UPDATE', table_name: 'users', record_id: userId },
        { operation: 'UPDATE', table_name: 'alerts', record_id: aRow('alerts').id },
      ])
    })

    test('an administrator sees what became of one account', async ({ client }) => {
      const [, ofAccount = ''] = await queriesOfTheGuide()
      await insertValid(client, ['users'])
      await actAs(client, 'beacon_app')
      await insertValid(client, ['trading_accounts'])
      await update(client, 'trading_accounts', { balance: '7.25' })
      await actAsLogin(client)
      const { rows } = await client.query<Record<string, unknown>>(ofAccount)
      expect(rows.filter(({ operation }) => operation === 'UPDATE')).toMatchObject([
        { user_id: userId, name: 'balance', before: 1000.5, after: 7.25 },
      ])
      expect(rows.filter(({ operation }) => operation === 'INSERT').map(({ name }) => name)).toEqual(
        Object.keys(aRow('trading_accounts')).toSorted(),
      )
    })

    test('a superuser takes out what a user has typed, and the log is closed again', async ({ client }) => {
      const [, , erasure = ''] = await queriesOfTheGuide()
      const other = '00000000-0000-4000-8000-0000000000ff'
      await insertRow(client, 'users', aRow('users', { id: other, email: 'of another' }))
      await insertValid(client, ['users', 'alerts'])
      await actAs(client, 'beacon_app')
      await update(client, 'alerts', { note: null })
      await actAsLogin(client)
      await client.query(erasure)
      const { rows } = await client.query<{ record: string }>(
        `select record_id as record from audit_logs
         where record_id is not null and (old_data is not null or new_data is not null)`,
      )
      expect(rows).toEqual([{ record: other }])
      expect(operations(await logOf(client, 'alerts'))).toEqual(['INSERT', 'UPDATE'])
      await client.query('set local session_replication_role = replica')
      expect(await refusal(client, () => client.query('delete from audit_logs'))).toBe(denied)
    })
  })
})

/** The queries of docs/audit-log.md, in their order. */
async function queriesOfTheGuide(): Promise<string[]> {
  const guide = await readFile(new URL('../../../docs/audit-log.md', import.meta.url), 'utf8')
  return [...guide.matchAll(/^```sql\n(.*?)^```$/gms)].map(([, query = '']) => query)
}
