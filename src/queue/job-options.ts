import type { Job } from './job.ts'

/** Kept by age in seconds, never by count: on PostgreSQL a count scans all finished jobs each time. */
export const defaultJobOptions = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 },
  removeOnComplete: { age: 86_400 },
  removeOnFail: { age: 604_800 },
}

export const jobOptions = (job: Pick<Job, 'priority' | 'attempts'>) => ({
  ...defaultJobOptions,
  priority: job.priority,
  attempts: job.attempts ?? defaultJobOptions.attempts,
})
