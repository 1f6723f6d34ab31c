import { second } from '../market/instant.ts'
import { defaultJobOptions } from './job-options.ts'

/**
 * A job that does nothing, in every queue. On PostgreSQL an idle worker may wait an hour for a notification that a
 * silently dead connection never brings; this bounds the wait.
 */
export const heartbeat = {
  jobName: 'heartbeat',
  everyMs: 15 * second,
  // Gone at once. A shorter age would take the other jobs of the queue with it.
  options: { ...defaultJobOptions, attempts: 1, removeOnComplete: true, removeOnFail: true },
}
