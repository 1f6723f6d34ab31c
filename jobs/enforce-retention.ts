import { z } from 'zod'
import { enforceRetention as enforce } from '../src/lifecycle/retention.ts'
import { retentionDepsOf } from '../src/lifecycle/retention-deps.ts'
import { minute } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'

/** Deletes expired data after its policy's archive or roll-up is proved. */
export const enforceRetention = defineJob({
  name: 'enforce-retention',
  summary: 'Deletes what is older than it is kept, once all that must outlive it is safe',
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
      // Until newer candles are loaded, a fast clock looks like a long absence.
      missedDelayMs: 5 * minute,
    },
  ],
  run: async (context, { agreed }, report) => ({
    ...(await enforce(retentionDepsOf(context), agreed, report)),
  }),
})
