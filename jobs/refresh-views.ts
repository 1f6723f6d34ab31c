import { z } from 'zod'
import { second } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'
import { refreshView } from '../src/store/views.ts'

/** The summaries, once the day they speak of is over. */
export const refreshViews = defineJob({
  name: 'refresh-views',
  summary: 'Refreshes a materialized view while its readers go on reading',
  payload: z.strictObject({ view: z.string().max(63) }),
  queueOf: () => 'upkeep',
  idOf: ({ view }) => `refresh-views_${view}`,
  priority: 0,
  schedules: ({ views }) =>
    views.map((view) => ({
      id: `refresh-views_${view}`,
      pattern: '5 0 * * *',
      payload: { view },
      whenMissed: 'run-once',
      missedDelayMs: 30 * second,
    })),
  run: async ({ pool }, { view }) => ({ view, ...(await refreshView(pool, view)) }),
})
