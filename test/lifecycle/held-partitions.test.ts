import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { readRetentionPlan } from '../../src/lifecycle/retention-plan.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readSettings } from '../../src/settings.ts'
import { listHolds } from '../../src/store/lifecycle/partition-holds.ts'
import { partitionAt } from '../../src/store/partitions.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { aCoin } from '../store/loading.ts'
import { testOn } from '../store/on-server.ts'
import { createTestDatabase, servers } from '../support/database.ts'
import {
  daysAgo,
  freshData,
  minutePartition,
  partitionsNow,
  retain,
  retry,
  someCandles,
} from './retaining.ts'

const held = minutePartition(10)
const other = minutePartition(9)

type Obstacle = Readonly<{ statement: string; reason: string; remedy: string }>

/** Each lets an object of somebody else depend on a partition, and has the reason that is reported for it. */
const obstacles: readonly ((partition: string) => Obstacle)[] = [
  (partition) => ({
    statement: `create schema theirs; create view theirs.my_view as select * from ${partition}`,
    reason: 'the view theirs.my_view of somebody else depends on it',
    remedy: 'drop view theirs.my_view',
  }),
  (partition) => ({
    statement: `create materialized view two_days as
      select * from ${partition} union all select * from ${minutePartition(0)}`,
    reason: 'the materialized view public.two_days of somebody else depends on it',
    remedy: 'drop materialized view public.two_days',
  }),
  (partition) => ({
    statement: `create table notes (coin_id varchar(50), timeframe varchar(10), at timestamp,
      constraint notes_candle foreign key (coin_id, timeframe, at) references ${partition})`,
    reason: 'the table constraint notes_candle on public.notes of somebody else depends on it',
    remedy: 'alter table public.notes drop constraint notes_candle',
  }),
  (partition) => ({
    statement: `create publication "My pub" for table ${partition}`,
    reason: 'the publication "My pub" of somebody else depends on it',
    remedy: `alter publication "My pub" drop table ${partition}`,
  }),
  (partition) => ({
    statement: `create function last_of(candle ${partition}) returns numeric language sql return candle.close`,
    reason: `the function public.last_of(public.${partition}) of somebody else depends on it`,
    remedy: `drop function public.last_of(public.${partition})`,
  }),
  (partition) => ({
    statement: `create table keeps (candle ${partition})`,
    reason: 'the table column public.keeps.candle of somebody else depends on it',
    remedy: 'alter table public.keeps drop column candle',
  }),
  (partition) => ({
    statement: `create type pair as (candle ${partition}, note text)`,
    reason: 'the composite type column public.pair.candle of somebody else depends on it',
    remedy: 'alter type public.pair drop attribute candle',
  }),
  (partition) => ({
    statement: `create table journal (note text);
      create rule copied as on insert to journal do also select count(*) from ${partition}`,
    reason: 'the rule copied on public.journal of somebody else depends on it',
    remedy: 'drop rule copied on public.journal',
  }),
  (partition) => ({
    statement: `create sequence numbers owned by ${partition}.volume;
      create table tickets (id bigint default nextval('numbers'))`,
    reason: 'the default value for public.tickets.id of somebody else depends on it',
    remedy: 'alter table public.tickets alter column id drop default',
  }),
]

describe.each(servers.map(({ server, clusterUrl }) => ({ server, test: testOn(clusterUrl), clusterUrl })))(
  'a partition that somebody else depends on, on $server',
  ({ test, clusterUrl }) => {
    const withDatabase = async (work: (pool: Pool, superuser: Pool) => Promise<void>) => {
      const { pool, superuser, drop } = await createTestDatabase(clusterUrl)
      try {
        await work(pool, superuser)
      } finally {
        await drop()
      }
    }

    test('stays attached with the object named and the statement that helps, while everything else goes on', async () => {
      await withDatabase(async (pool) => {
        const coinId = await aCoin(pool)
        await freshData(pool, coinId)
        await someCandles(pool, coinId, daysAgo(9), 10)
        const held = obstacles.map((obstacleOn, index) => {
          const days = 9 + obstacles.length - index
          return { days, name: minutePartition(days), ...obstacleOn(minutePartition(days)) }
        })
        for (const { days, statement } of held) {
          await someCandles(pool, coinId, daysAgo(days), 10)
          await pool.query(statement)
        }
        const deps = { pool, settings: readSettings({}), clock: systemClock }
        const { partitions } = await readRetentionPlan(deps, false)
        expect(partitions.slice(0, held.length)).toMatchObject(
          held.map(({ reason, remedy }) => ({ decision: 'held-back', hold: { reason, remedy } })),
        )
        expect(await retain(pool)).toMatchObject({
          dropped: [other],
          heldBack: held.map(({ name, reason, remedy }) => ({
            partition: name,
            reason: expect.stringContaining(`${reason}: ${remedy}`),
          })),
        })
        const { rows } = await pool.query('select count(*)::integer as count from ohlcv_data')
        expect(rows).toEqual([{ count: 101 + 10 * held.length }])
        expect(await listHolds(databaseOf(pool))).toMatchObject(
          held.map(({ name, remedy }) => ({ name, hold: { kind: 'object', remedy } })),
        )
        expect(await retry(pool)).toEqual([])
        for (const { name, remedy } of held) {
          await pool.query(remedy)
          expect(await retry(pool)).toEqual([name])
        }
        expect(await listHolds(databaseOf(pool))).toEqual([])
      })
    })

    test('stays where it belongs to another role, with the statement that helps', async () => {
      await withDatabase(async (pool, superuser) => {
        const [login, owner] = [0, 1].map(() => `role_${randomUUID().slice(0, 8)}`)
        const coinId = await aCoin(pool)
        await freshData(pool, coinId)
        for (const days of [10, 9]) await someCandles(pool, coinId, daysAgo(days), 10)
        await superuser.query(
          `create role ${login}; create role ${owner}; alter schema public owner to ${login}`,
        )
        await superuser.query(`
          do $$ declare one record; begin
            for one in select oid::regclass as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'm') loop
              execute format('alter table %s owner to ${login}', one.name);
            end loop;
          end $$`)
        await superuser.query(`alter table ${held} owner to ${owner}`)
        const acting = await createActing(superuser, login ?? '')
        try {
          expect(await retain(acting)).toMatchObject({
            dropped: [other],
            heldBack: [
              {
                partition: held,
                reason: expect.stringContaining(
                  `it belongs to the role ${owner}: alter table ${held} owner to ${login}`,
                ),
              },
            ],
          })
        } finally {
          await acting.end()
          await superuser.query(
            `reassign owned by ${login}, ${owner} to current_user; drop owned by ${login}, ${owner}`,
          )
          await superuser.query(`drop role ${login}; drop role ${owner}`)
        }
      })
    })

    test('stays where an event trigger refuses, whatever its error, and holds up no other', async () => {
      await withDatabase(async (pool, superuser) => {
        const coinId = await aCoin(pool)
        await freshData(pool, coinId)
        for (const days of [10, 9]) await someCandles(pool, coinId, daysAgo(days), 10)
        await superuser.query(`
          create function refuse() returns event_trigger language plpgsql as $$ begin
            if exists (select from pg_event_trigger_dropped_objects() where object_name = '${held}') then
              raise exception 'not this one' using errcode = '22012';
            end if;
          end $$;
          create event trigger refusing on sql_drop execute function refuse()`)
        expect(await retain(pool)).toMatchObject({
          dropped: [other],
          heldBack: [{ partition: held, reason: 'PostgreSQL refused to drop it: not this one' }],
        })
        await superuser.query('drop event trigger refusing')
        expect(await retry(pool)).toEqual([held])
      })
    })

    test('stays while a prepared transaction reads it, which is named, and holds up no other', async ({
      skip,
    }) => {
      await withDatabase(async (pool) => {
        const { rows } = await pool.query('show max_prepared_transactions')
        if (rows[0].max_prepared_transactions === '0') skip('this server has no prepared transactions')
        const coinId = await aCoin(pool)
        await freshData(pool, coinId)
        for (const days of [10, 9]) await someCandles(pool, coinId, daysAgo(days), 10)
        const name = `reader of ${coinId}`
        await pool.query(`begin; select from ${held}; prepare transaction '${name}'`)
        try {
          expect(await retain(pool)).toMatchObject({
            dropped: [other],
            heldBack: [
              {
                partition: held,
                reason: expect.stringMatching(
                  new RegExp(
                    `^the prepared transaction '${name}' of \\S+, open since .*: rollback prepared '${name}'$`,
                  ),
                ),
              },
            ],
          })
        } finally {
          await pool.query(`rollback prepared '${name}'`)
        }
        expect(await retry(pool)).toEqual([held])
      })
    })

    test('of a table of the same name elsewhere is the one that is meant', async () => {
      await withDatabase(async (pool) => {
        const coinId = await aCoin(pool)
        await freshData(pool, coinId)
        for (const days of [10, 9]) await someCandles(pool, coinId, daysAgo(days), 10)
        await pool.query(`
          create schema elsewhere;
          alter table ${held} set schema elsewhere;
          create table public.${held} (note text);
          insert into public.${held} values ('mine')`)
        expect(await retain(pool)).toMatchObject({ dropped: [`elsewhere.${held}`, other], heldBack: [] })
        const { rows } = await pool.query(`select * from public.${held}`)
        expect(rows).toEqual([{ note: 'mine' }])
      })
    })

    test('that was replaced by another between plan and deletion stays', async () => {
      await withDatabase(async (pool) => {
        const coinId = await aCoin(pool)
        await freshData(pool, coinId)
        await someCandles(pool, coinId, daysAgo(100), 10, '1h')
        await someCandles(pool, coinId, daysAgo(10), 24, '1h')
        const dataDir = await mkdtemp(join(tmpdir(), 'beacon-held-'))
        const settings = readSettings({ BEACON_DATA_DIR: dataDir })
        const { name } = partitionAt({ name: 'ohlcv_data_1h', length: 'day' }, daysAgo(100))
        const steps = async (step: string) => {
          if (step !== 'prepared') return
          await pool.query(`
            alter table ohlcv_data_1h detach partition ${name};
            alter table ${name} rename to kept_aside;
            create table ${name} (note text);
            insert into ${name} values ('mine')`)
        }
        try {
          expect(await retain(pool, { settings, steps })).toMatchObject({
            dropped: [],
            heldBack: [{ partition: name, reason: expect.stringContaining('no longer the partition') }],
          })
          expect(await partitionsNow(pool)).toContain(name)
          const { rows } = await pool.query(
            `select note, (select count(*)::integer from kept_aside) from ${name}`,
          )
          expect(rows).toEqual([{ note: 'mine', count: 10 }])
        } finally {
          await rm(dataDir, { recursive: true, force: true })
        }
      })
    })

    test('without bounds is shown and never deleted, and the others are', async () => {
      await withDatabase(async (pool) => {
        const coinId = await aCoin(pool)
        await freshData(pool, coinId)
        for (const days of [10, 9]) await someCandles(pool, coinId, daysAgo(days), 10)
        await pool.query(`create table everything_else partition of ohlcv_data_1m default`)
        await pool.query(`
          insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume)
          values ('${coinId}', '1m', '2020-01-01', 1, 1, 1, 1, 1)`)
        const { dropped, heldBack } = await retain(pool)
        expect(dropped).toEqual([held, other])
        expect(heldBack).toEqual([
          { partition: 'everything_else', reason: expect.stringContaining('no bounds in time (DEFAULT)') },
        ])
        const { rows } = await pool.query(`select count(*)::integer as count from ohlcv_data`)
        expect(rows).toEqual([{ count: 102 }])
      })
    })

    test('by the dozen goes in a few transactions', async () => {
      await withDatabase(async (pool) => {
        const coinId = await aCoin(pool)
        await freshData(pool, coinId)
        for (let days = 2; days < 58; days += 1) await someCandles(pool, coinId, daysAgo(days), 1)
        let transactions = 0
        const steps = async (step: string) => {
          if (step === 'gone') transactions += 1
        }
        const { dropped } = await retain(pool, { agreed: true, steps })
        expect(dropped).toHaveLength(50)
        expect(transactions).toBeLessThan(25)
      })
    })
  },
)

/** A pool whose sessions act as the role, as those of a login without more rights. */
async function createActing(pool: Pool, role: string): Promise<Pool> {
  const { Pool: PoolOf } = await import('pg')
  const acting = new PoolOf({ ...pool.options, max: 5, options: `-c role=${role}` })
  acting.on('error', () => {})
  return acting
}
