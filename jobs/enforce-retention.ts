import { z } from 'zod'
import { enforceRetention as enforce } from '../src/lifecycle/retention.ts'
import { retentionDepsOf } from '../src/lifecycle/retention-deps.ts'
import { minute } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'

/** What is older than it is kept: made safe as its policy says, proved, and deleted. */
export const enforceRetention = defineJob({
  name: 'enforce-retention',
  summary: 'Deletes what is older than it is kept, once all that must outlive it is safe',
  // Whether somebody has agreed that more than half of a table may go at once.
  payload: z.strictObject({ agreed: z.boolean() }),
  queueOf: () => 'maintenance',
  idOf: () => 'enforce-retention',
  priority: 0,
  schedules: () => [
    {
      id: 'enforce-retention',
      pattern: '30 0 * * *',
      payload: { agreed: false },
      whenMissed: 'run-once',
      // Until newer candles are there, a clock that runs ahead cannot be told from a daemon that was away.
      missedDelayMs: 5 * minute,
    },
  ],
  run: async (context, { agreed }, report) => ({
    ...(await enforce(retentionDepsOf(context), agreed, report)),
  }),
})
