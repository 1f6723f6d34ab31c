import { z } from 'zod'
import { retryHeld } from '../src/lifecycle/retention.ts'
import { retentionDepsOf } from '../src/lifecycle/retention-deps.ts'
import { defineJob } from '../src/queue/job.ts'

/** Obstacles may end within minutes: a transaction, a view, a full disk. */
export const retryRetention = defineJob({
  name: 'retry-retention',
  summary: 'Tries again to delete the partitions that the last run of retention could not',
  payload: z.strictObject({}),
  queueOf: () => 'maintenance',
  idOf: () => 'retry-retention',
  priority: 0,
  attempts: 1,
  schedules: () => [{ id: 'retry-retention', pattern: '25 2-57/5 * * * *', payload: {}, whenMissed: 'skip' }],
  run: async (context, _, report) => ({ ...(await retryHeld(retentionDepsOf(context), report)) }),
})
