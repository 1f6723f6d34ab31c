import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Fault } from '../../src/fault.ts'
import { archiveRows } from '../../src/lifecycle/archive/archive-rows.ts'
import { queryArchive } from '../../src/lifecycle/archive/query-archive.ts'
import { restoreArchive, restoreBeside } from '../../src/lifecycle/archive/restore-archive.ts'
import { readRetentionPlan } from '../../src/lifecycle/retention-plan.ts'
import { day, hour, type Instant, plus, toIso } from '../../src/market/instant.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Settings } from '../../src/settings.ts'
import { withUser } from '../../src/store/acting.ts'
import { rowArchivesOf } from '../../src/store/lifecycle/archives.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { aBatch, aCandle, aCoin, aSeries, load } from '../store/loading.ts'
import { insertValid } from '../store/migrations/valid-rows.ts'
import { at } from '../support/at.ts'
import { superuserOf } from '../support/database.ts'
import { aUserWithNotifications, notificationsOf, reachOf, test } from './archive/archiving.ts'
import { daysAgo, freshData, retain, someCandles } from './retaining.ts'

const now = systemClock.now()
const old = plus(now, -91 * day)

const keptMs = 90 * day

/** The only policy of rows, which ends as that of the other table. */
function withPolicy(settings: Settings, table: string, by: string, endingOf: string): Settings {
  const example = settings.retention[endingOf]
  if (!example) throw new Error(`there is no policy of ${endingOf}`)
  return { ...settings, retention: { [table]: { ...example, by, keep: keptMs } } }
}

/** What the log says of the users' notifications. */
const logged = async (pool: Pool) =>
  (
    await superuserOf(pool).query<{ operation: string; text: string | null }>(
      `select operation, coalesce(new_data, old_data) ->> 'message' as text from audit_logs
       where table_name = 'notifications' and record_id is not null`,
    )
  ).rows

const oneEntryOf = async (pool: Pool, operation: string) =>
  (
    await superuserOf(pool).query<{ entity: string; rows: number }>(
      `select new_data ->> 'entity' as entity, (new_data ->> 'rows')::integer as rows from audit_logs
       where operation = $1 order by timestamp`,
      [operation],
    )
  ).rows

describe('a policy of rows', () => {
  test('is part of every run of retention and of its plan, whatever becomes of the rows', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const userId = await aUserWithNotifications(pool, 10, old)
    await pool.query(
      `insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at)
       values (gen_random_uuid(), 'a', 'a', 'a', 1, '{}', 'done', $1)`,
      [toIso(plus(now, -31 * day))],
    )
    const plan = await readRetentionPlan({ pool, settings, clock: systemClock }, false)
    expect(plan.rows.map(({ table, ending, rows }) => [table, ending, rows])).toEqual([
      ['notifications', 'archive', 10],
      ['ingest_runs', 'drop', 1],
      ['quarantined_rows', 'drop', 0],
      ['view_refreshes', 'drop', 0],
    ])
    expect(await retain(pool, { settings, now })).toMatchObject({
      archived: { notifications: 10 },
      deleted: { ingest_runs: 1 },
    })
    expect(await notificationsOf(pool, userId)).toEqual([])
  })

  test('that cannot be carried out keeps no other from it', async ({
    freshDatabase: { pool },
    settings,
    dataDir,
  }) => {
    await aUserWithNotifications(pool, 10, old)
    await pool.query(
      `insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at)
       values (gen_random_uuid(), 'a', 'a', 'a', 1, '{}', 'done', $1)`,
      [toIso(plus(now, -31 * day))],
    )
    const place = join(dataDir, 'archive')
    await rm(place, { recursive: true, force: true })
    await writeFile(place, 'no folder')
    await expect(retain(pool, { settings, now })).rejects.toThrow(Fault)
    const { rows } = await pool.query('select from ingest_runs')
    expect(rows).toEqual([])
    await rm(place)
    expect(await retain(pool, { settings, now })).toMatchObject({ archived: { notifications: 10 } })
  })

  test('of a table that a user keeps locked is reported, and keeps no other from it', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const userId = await aUserWithNotifications(pool, 10, old)
    await freshData(pool, await aCoin(pool))
    await pool.query(
      `insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at)
       values (gen_random_uuid(), 'a', 'a', 'a', 1, '{}', 'done', $1)`,
      [toIso(plus(now, -31 * day))],
    )
    await withUser(pool, userId, async ({ client }) => {
      await client.query('lock table notifications in access exclusive mode')
      const plan = await readRetentionPlan({ pool, settings, clock: systemClock }, false)
      expect(plan.rows.map(({ table, rows }) => [table, rows])).toContainEqual(['notifications', undefined])
      await expect(retain(pool, { settings, now })).rejects.toThrow(
        'another session keeps notifications or some of its rows locked',
      )
    })
    expect((await pool.query('select from ingest_runs')).rows).toEqual([])
    await withUser(pool, userId, async ({ client }) => {
      await client.query('select from notifications for update')
      await expect(retain(pool, { settings, now })).rejects.toThrow(Fault)
    })
    expect(await retain(pool, { settings, now })).toMatchObject({ archived: { notifications: 10 } })
  })

  test('that drops rows of users deletes those of all of them, and what the log says of them', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const users = [await aUserWithNotifications(pool, 10, old), await aUserWithNotifications(pool, 5, old)]
    const dropping = withPolicy(settings, 'notifications', 'created_at', 'ingest_runs')
    const { rows } = await readRetentionPlan({ pool, settings: dropping, clock: systemClock }, false)
    expect(rows).toMatchObject([{ table: 'notifications', rows: 15 }])
    expect(await retain(pool, { settings: dropping, now })).toMatchObject({ deleted: { notifications: 15 } })
    for (const userId of users) expect(await notificationsOf(pool, userId)).toEqual([])
    expect(await logged(pool)).toEqual([])
    expect(await oneEntryOf(pool, 'PURGE')).toEqual([
      { entity: 'notifications', rows: 15 },
      { entity: 'audit_logs of notifications', rows: 15 },
    ])
  })
})

describe('what the audit log says of rows that were archived', () => {
  test('is archived with them, and of what a user deleted it keeps everything', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const ada = await aUserWithNotifications(pool, 10, old)
    const young = await aUserWithNotifications(pool, 3, plus(now, -hour))
    await withUser(pool, young, ({ db }) => db.execute('delete from notifications'))
    const deps = { ...reachOf(pool, settings, now), signal: new AbortController().signal }
    await archiveRows(deps, { table: 'notifications', by: 'created_at' }, keptMs)
    expect(await notificationsOf(pool, ada)).toEqual([])
    const left = await logged(pool)
    expect(left.map(({ operation }) => operation).toSorted()).toEqual([
      ...Array(3).fill('DELETE'),
      ...Array(3).fill('INSERT'),
    ])
    const [file] = await rowArchivesOf(databaseOf(pool), 'audit_logs')
    expect(file).toMatchObject({ state: 'dropped', written: { content: { rows: 10 } } })
    const query = `select count(*), count(new_data) from audit_logs where table_name = 'notifications'`
    expect(await queryArchive(deps, query)).toMatchObject({ rows: [[expect.anything(), expect.anything()]] })
    if (!file) throw new Error('there is a file')
    await expect(restoreArchive(deps, file)).rejects.toThrow('--into NAME')
    expect(await restoreBeside(deps, file, 'log_of_old')).toBe(10)
  })
})

describe('evidence', () => {
  const quarantine = (
    pool: Pool,
    resolved: boolean,
    timeframe: string | null,
    runId: string | null = null,
    opened: Instant = old,
  ) =>
    pool.query(
      `insert into quarantined_rows
         (source, market, timeframe, timestamp, reason, kind, raw, quarantined_at, last_seen_at, run_id, resolution, resolved_at, resolved_by)
       values ('binance', 'BTCUSDT', $1, $2, 'high < low', gen_random_uuid(), '[]', $2, $2, $5, $3, $4, $3)`,
      [timeframe, toIso(opened), resolved ? 'loaded' : null, resolved ? toIso(opened) : null, runId],
    )

  test('of a rejected candle stays while the row is open', async ({ freshDatabase: { pool }, settings }) => {
    await quarantine(pool, false, '1d')
    await quarantine(pool, true, '1d')
    await quarantine(pool, false, null)
    expect(await retain(pool, { settings, now })).toMatchObject({ deleted: { quarantined_rows: 2 } })
    const { rows } = await pool.query('select timeframe, resolution from quarantined_rows')
    expect(rows).toEqual([{ timeframe: '1d', resolution: null }])
    await pool.query(
      `update quarantined_rows set resolution = 'loaded', resolved_at = $1, resolved_by = 'ada'`,
      [toIso(old)],
    )
    expect(await retain(pool, { settings, now })).toMatchObject({ deleted: { quarantined_rows: 1 } })
  })

  test('of a rejected candle outlives its partition where that was archived', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const coinId = await aCoin(pool)
    await freshData(pool, coinId)
    await someCandles(pool, coinId, daysAgo(100), 24, '1h')
    await quarantine(pool, false, '1h', null, daysAgo(100))
    await quarantine(pool, true, '1h', null, daysAgo(100))
    await quarantine(pool, false, '1h', null, daysAgo(200))
    expect(await retain(pool, { settings, agreed: true })).toMatchObject({ dropped: [expect.any(String)] })
    const { rows } = await pool.query('select timestamp::date::text as day, resolution from quarantined_rows')
    expect(rows).toEqual([{ day: toIso(daysAgo(100)).slice(0, 10), resolution: null }])
  })

  test('of where stored candles came from stays as long as they do', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const db = databaseOf(pool)
    const series = await aSeries(pool, { timeframe: '1d' })
    const first = at('2024-03-01T00:00:00Z')
    await load(pool, aBatch(series, [aCandle(first)]))
    await freshData(pool, series.coinId)
    const run = async (job: string, payload: object, outcome: object, startedAt: Instant = old) => {
      const id = await startRun(db, { job, queue: 'a', jobId: job, attempt: 1, payload, startedAt })
      await finishRun(db, id, { status: 'done', outcome }, startedAt)
      return id
    }
    const range = { coinId: series.coinId, timeframe: '1d', source: 'binance' }
    const march = { ...range, from: '2024-03-01T00:00:00.000Z', to: '2024-04-01T00:00:00.000Z' }
    const april = { ...range, from: '2024-04-01T00:00:00.000Z', to: '2024-05-01T00:00:00.000Z' }
    const wanted = [
      await run('backfill-candles', march, { new: 1 }),
      await run('ingest-candles', { source: 'binance', timeframe: '1d' }, { new: 20 }),
      await run('anything', {}, {}),
    ]
    await quarantine(pool, false, '1d', wanted[2])
    await run('backfill-candles', april, { new: 1 })
    await run('backfill-candles', march, { new: 0 })
    await run('backfill-candles', { ...march, from: 'never' }, { new: 1 })
    await run('ingest-candles', { source: 'binance', timeframe: '1d' }, { new: 'many' })
    await run('ingest-candles', { source: 'binance', timeframe: '1m' }, { new: 20 })
    expect(await retain(pool, { settings, now })).toMatchObject({ deleted: { ingest_runs: 5 } })
    const { rows } = await pool.query<{ id: string }>('select id from ingest_runs')
    expect(rows.map(({ id }) => id).toSorted()).toEqual(wanted.toSorted())
  })
})

describe('archiving rows', () => {
  test('leaves a row alone whose time no file can hold, and archives all others', async ({
    freshDatabase: { pool },
    settings,
  }) => {
    const userId = await aUserWithNotifications(pool, 10, old)
    await superuserOf(pool).query(`
      alter table notifications drop constraint notifications_times;
      update notifications set read_at = 'infinity' where id = (select min(id::text)::uuid from notifications);
      update notifications set created_at = '-infinity' where id = (select max(id::text)::uuid from notifications)`)
    const deps = { ...reachOf(pool, settings, now), signal: new AbortController().signal }
    const rows = { table: 'notifications', by: 'created_at' }
    expect(await archiveRows(deps, rows, keptMs)).toMatchObject({ rows: 8, left: 2 })
    expect((await notificationsOf(pool, userId)).length).toBe(2)
  })

  test.for(['candle_revisions', 'backtest_results'])(
    'of %s takes them out and brings every one back',
    async (table, { freshDatabase: { pool }, settings }) => {
      const client = await superuserOf(pool).connect()
      try {
        await insertValid(client, ['coins', 'users', 'trading_strategies', table])
        const by = table === 'candle_revisions' ? 'revised_at' : 'created_at'
        const text = async () =>
          (await client.query<{ row: string }>(`select ${table}::text as row from ${table}`)).rows
        const before = await text()
        const archiving = withPolicy(settings, table, by, 'notifications')
        expect(await retain(pool, { settings: archiving, now })).toMatchObject({ archived: { [table]: 1 } })
        expect(await text()).toEqual([])
        const [file] = await rowArchivesOf(databaseOf(pool), table)
        if (!file) throw new Error('there is a file')
        expect(await restoreArchive(reachOf(pool, settings, now), file)).toMatchObject({ restored: 1 })
        expect(await text()).toEqual(before)
      } finally {
        client.release()
      }
    },
  )
})
