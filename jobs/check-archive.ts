import { z } from 'zod'
import { checkArchive as check } from '../src/lifecycle/archive/check-archive.ts'
import { minute } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'
import { recordCheck } from '../src/store/digests/archive-checks.ts'
import { listCoinIds } from '../src/store/digests/candle-digests.ts'
import { databaseOf } from '../src/store/transaction.ts'

export const checkArchive = defineJob({
  name: 'check-archive',
  summary: 'Compares all rows and files with what was written of them',
  payload: z.strictObject({}),
  queueOf: () => 'maintenance',
  idOf: () => 'check-archive',
  priority: 0,
  attempts: 2,
  schedules: () => [
    // Early on Sunday, a quiet time.
    {
      id: 'check-archive',
      pattern: '30 3 * * 0',
      payload: {},
      whenMissed: 'run-once',
      missedDelayMs: 10 * minute,
    },
  ],
  run: async ({ pool, settings, clock, signal }, _, report) => {
    const db = databaseOf(pool)
    const deps = { pool, settings, clock, signal }
    const coinIds = await listCoinIds(db)
    const result = await check(deps, { coinIds, isWhole: true, accept: false })
    await recordCheck(db, result)
    for (const { where, problem } of result.problems) await report.log(`${where}: ${problem}`)
    const { series, liveRows, archivedRows, files, counted, problems } = result
    return { series, liveRows, archivedRows, files, counted, problems: problems.length }
  },
})
