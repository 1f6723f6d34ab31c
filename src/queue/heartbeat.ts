import { second } from '../market/instant.ts'
import { defaultJobOptions } from './job-options.ts'

/**
 * An empty job in every queue: on PostgreSQL an idle worker may wait an hour for a notification lost with a dead
 * connection.
 */
export const heartbeat = {
  jobName: 'heartbeat',
  everyMs: 15 * second,
  // A shorter age would also remove other finished jobs.
  options: { ...defaultJobOptions, attempts: 1, removeOnComplete: true, removeOnFail: true },
}
