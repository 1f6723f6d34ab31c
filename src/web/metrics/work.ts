import { second } from '../../market/instant.ts'
import { queueOverview } from '../../queue/overview.ts'
import { hasWorkers } from '../../runtime/presence.ts'
import { readLastSuccesses } from '../../store/runs/job-figures.ts'
import { databaseOf } from '../../store/transaction.ts'
import { defineCollector } from './collector.ts'

const queueStates = ['waiting', 'prioritized', 'active', 'delayed', 'failed', 'completed'] as const

export const queues = defineCollector({
  name: 'queues',
  gauges: {
    beacon_queue_jobs: {
      help: 'Jobs in a queue by state; failed and completed are those it still remembers.',
      labels: ['queue', 'state'],
    },
    beacon_queue_paused: { help: '1 while workers leave a queue alone.', labels: ['queue'] },
    beacon_workers_present: { help: '1 while any process of the fleet works on the queues.', labels: [] },
  },
  collect: async ({ engine, queues: names, pool }) => [
    ...(await queueOverview(engine, names)).flatMap((counts) => [
      ...queueStates.map((state) => ({
        name: 'beacon_queue_jobs' as const,
        labels: { queue: counts.queue, state },
        value: counts[state],
      })),
      {
        name: 'beacon_queue_paused' as const,
        labels: { queue: counts.queue },
        value: counts.paused ? 1 : 0,
      },
    ]),
    { name: 'beacon_workers_present' as const, value: (await hasWorkers(pool, engine.kind)) ? 1 : 0 },
  ],
})

/** Any job of the catalog. */
export const jobs = defineCollector({
  name: 'jobs',
  gauges: {
    beacon_job_last_success_timestamp_seconds: {
      help: 'When a job last ended well, in seconds since 1970; none where it never did.',
      labels: ['task'],
    },
    beacon_job_last_success_duration_seconds: {
      help: 'How long that run of the job took.',
      labels: ['task'],
    },
  },
  collect: async ({ pool, jobs: all }) => {
    const last = await readLastSuccesses(
      databaseOf(pool),
      all.map(({ name }) => name),
    )
    return last.flatMap(({ job, endedAt, tookMs }) => [
      {
        name: 'beacon_job_last_success_timestamp_seconds' as const,
        labels: { task: job },
        value: endedAt / second,
      },
      {
        name: 'beacon_job_last_success_duration_seconds' as const,
        labels: { task: job },
        value: tookMs / second,
      },
    ])
  },
})
