import { describe, expect } from 'vitest'
import { Aborted } from '../../../src/fault.ts'
import { archiveRows } from '../../../src/lifecycle/archive/archive-rows.ts'
import { restoreArchive } from '../../../src/lifecycle/archive/restore-archive.ts'
import { day, plus } from '../../../src/market/instant.ts'
import { readSettings, type Settings } from '../../../src/settings.ts'
import { withUser } from '../../../src/store/acting.ts'
import { type Archive, rowArchivesOf } from '../../../src/store/lifecycle/archives.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { superuserOf } from '../../support/database.ts'
import { aUserWithNotifications, test as base, later, notificationsOf, now, reachOf } from './archiving.ts'

const notifications = { table: 'notifications', by: 'created_at' }
const old = plus(now, -91 * day)
const young = plus(now, -89 * day)

const inBatchesOf = (settings: Settings, batch: number): Settings => ({
  ...settings,
  archive: { ...settings.archive, batch },
})

/** A database of its own: every old notification in it is archived. */
const test = base
  .extend('own', ({ freshDatabase }) => freshDatabase.pool)
  .extend('working', ({ own, dataDir }) => ({
    ...reachOf(own, inBatchesOf(readSettings({ BEACON_DATA_DIR: dataDir }), 100), now),
    signal: new AbortController().signal,
  }))

const archived = async (pool: Parameters<typeof databaseOf>[0]): Promise<Archive[]> =>
  rowArchivesOf(databaseOf(pool), 'notifications')

describe('archiving notifications', () => {
  test('moves the old ones of every user to files, batch by batch, and leaves the young', async ({
    own,
    working,
  }) => {
    const [ada, bob] = [
      await aUserWithNotifications(own, 150, old),
      await aUserWithNotifications(own, 100, old),
    ]
    const carol = await aUserWithNotifications(own, 10, young)
    expect(await archiveRows(working, notifications, 90 * day)).toEqual({
      table: 'notifications',
      files: 3,
      rows: 250,
      left: 0,
    })
    expect([await notificationsOf(own, ada), await notificationsOf(own, bob)]).toEqual([[], []])
    expect((await notificationsOf(own, carol)).length).toBe(10)
    const archives = await archived(own)
    expect(archives.map(({ state, written }) => [state, written?.content.rows])).toEqual([
      ['dropped', 100],
      ['dropped', 100],
      ['dropped', 50],
    ])
    expect(await archiveRows(working, notifications, 90 * day)).toMatchObject({ files: 0, rows: 0 })
  })

  test('is one entry of the audit log, without their texts, and no user sees them any more', async ({
    own,
    working,
  }) => {
    const ada = await aUserWithNotifications(own, 20, old)
    const rows = await notificationsOf(own, ada)
    await archiveRows(working, notifications, 90 * day)
    const { rows: logged } = await superuserOf(own).query(
      `select operation, new_data -> 'rows' as rows, old_data from audit_logs
       where table_name = 'notifications' and operation not in ('INSERT', 'UPDATE') and new_data ->> 'archive' = (
         select id::text from archives where table_name = 'notifications' order by created_at desc limit 1)`,
    )
    expect(rows.length).toBe(20)
    expect(logged).toEqual([{ operation: 'ARCHIVE', rows: 20, old_data: null }])
    const seen = await withUser(own, ada, ({ db }) => db.execute('select from notifications'))
    expect(seen.rows).toEqual([])
  })

  test('and restoring them gives back every value, to users who are still there', async ({
    own,
    working,
  }) => {
    const [ada, bob] = [
      await aUserWithNotifications(own, 30, old),
      await aUserWithNotifications(own, 20, old),
    ]
    const before = await notificationsOf(own, ada)
    await archiveRows(working, notifications, 90 * day)
    await superuserOf(own).query('delete from users where id = $1', [bob])
    const [archive] = await archived(own)
    if (!archive) throw new Error('nothing was archived')
    expect(await restoreArchive(working, archive)).toMatchObject({ restored: 30, orphaned: 20, kept: 0 })
    expect(await notificationsOf(own, ada)).toEqual(before)
    expect(await restoreArchive(working, archive)).toMatchObject({ restored: 0, unchanged: 30, orphaned: 20 })
  })

  test('leaves restored ones alone for a while, and archives them again then', async ({ own, working }) => {
    await aUserWithNotifications(own, 20, old)
    await archiveRows(working, notifications, 90 * day)
    const [archive] = await archived(own)
    if (!archive) throw new Error('nothing was archived')
    await restoreArchive(working, archive)
    expect(await archiveRows(working, notifications, 90 * day)).toMatchObject({ rows: 0 })
    const then = { ...working, clock: { now: () => later } }
    expect(await archiveRows(then, notifications, 90 * day)).toMatchObject({ rows: 20 })
  })

  test('writes a batch anew whose rows have changed meanwhile', async ({ own, working }) => {
    const ada = await aUserWithNotifications(own, 20, old)
    let changes = 0
    const steps = async (name: string) => {
      if (name !== 'verified' || changes > 0) return
      changes += 1
      await superuserOf(own).query(`update notifications set read_at = '2024-08-31' where user_id = $1`, [
        ada,
      ])
    }
    expect(await archiveRows({ ...working, steps }, notifications, 90 * day)).toMatchObject({
      files: 1,
      rows: 20,
    })
    const [archive, ...others] = await archived(own)
    expect(others).toEqual([])
    if (!archive) throw new Error('nothing was archived')
    await restoreArchive(working, archive)
    expect((await notificationsOf(own, ada)).every((row) => row.includes('"2024-08-31 00:00:00"'))).toBe(true)
  })

  test('stops between two batches when it is told to', async ({ own, working }) => {
    await aUserWithNotifications(own, 250, old)
    const stop = new AbortController()
    const steps = async (name: string) => {
      if (name === 'recorded') stop.abort()
    }
    const archiving = archiveRows({ ...working, steps, signal: stop.signal }, notifications, 90 * day)
    await expect(archiving).rejects.toThrow(Aborted)
    expect((await archived(own)).map(({ state }) => state)).toEqual(['dropped'])
  })
})
