import { z } from 'zod'
import { isOutdated, summarise } from '../src/lifecycle/summarise.ts'
import { second } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'

const payload = z.strictObject({ view: z.string().max(63), when: z.literal('outdated').optional() })

/** Daily after midnight, and hourly in case late candles complete an earlier day. */
export const refreshViews = defineJob({
  name: 'refresh-views',
  summary: 'Refreshes a materialized view while its readers go on reading',
  payload,
  queueOf: () => 'maintenance',
  idOf: ({ view, when }) => `refresh-views_${view}${when === undefined ? '' : `_${when}`}`,
  priority: 0,
  schedules: ({ views }) =>
    views.flatMap((view) => [
      {
        id: `refresh-views_${view}`,
        pattern: '5 0 * * *',
        payload: { view },
        whenMissed: 'run-once',
        missedDelayMs: 30 * second,
      },
      {
        id: `refresh-views_${view}_outdated`,
        pattern: '35 * * * *',
        payload: { view, when: 'outdated' },
        whenMissed: 'skip',
      },
    ]),
  run: async (context, { view, when }) =>
    when === undefined || (await isOutdated(context, view))
      ? { ...(await summarise(context, view)) }
      : { view, upToDate: true },
})
