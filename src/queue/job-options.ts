import type { Job } from './job.ts'

/**
 * How every job is tried and kept. Kept by age, in seconds, and never by count: on PostgreSQL a count reads all
 * finished jobs each time one finishes.
 */
export const defaultJobOptions = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 },
  removeOnComplete: { age: 86_400 },
  removeOnFail: { age: 604_800 },
}

/** The queue's options for one of our jobs. */
export const jobOptions = (job: Pick<Job, 'priority' | 'attempts'>) => ({
  ...defaultJobOptions,
  priority: job.priority,
  attempts: job.attempts ?? defaultJobOptions.attempts,
})
