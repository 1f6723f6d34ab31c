import { describe, expect } from 'vitest'
import { archiveRows } from '../../../jobs/archive-rows.ts'
import { Misconfigured } from '../../../src/fault.ts'
import { day, plus } from '../../../src/market/instant.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { readSettings } from '../../../src/settings.ts'
import { keptReport, startWorking } from '../../ingest/working.ts'
import { aUserWithNotifications, notificationsOf, test } from './archiving.ts'

describe('the job that archives rows', () => {
  test('takes what the configuration says, and runs once when it was missed', async ({
    freshDatabase: { pool },
    dataDir,
  }) => {
    const settings = readSettings({ BEACON_DATA_DIR: dataDir })
    expect(archiveRows.schedules?.(settings, [])).toMatchObject([
      { pattern: '32 0 * * *', whenMissed: 'run-once' },
    ])
    const old = plus(systemClock.now(), -91 * day)
    const userId = await aUserWithNotifications(pool, 10, old)
    await using working = await startWorking(pool, { now: systemClock.now(), settings: () => settings })
    const outcome = await archiveRows.run(working.context, {}, keptReport())
    expect(outcome).toEqual({ archived: [{ table: 'notifications', files: 1, rows: 10 }] })
    expect(await notificationsOf(pool, userId)).toEqual([])
  })

  test('touches nothing while the clocks disagree', async ({ freshDatabase: { pool }, dataDir }) => {
    const ahead = plus(systemClock.now(), 365 * day)
    const userId = await aUserWithNotifications(pool, 10, systemClock.now())
    const settings = readSettings({ BEACON_DATA_DIR: dataDir })
    await using working = await startWorking(pool, { now: ahead, settings: () => settings })
    await expect(archiveRows.run(working.context, {}, keptReport())).rejects.toThrow(Misconfigured)
    expect((await notificationsOf(pool, userId)).length).toBe(10)
  })
})
