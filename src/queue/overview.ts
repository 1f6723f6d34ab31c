import type { QueueName } from '../settings/source-ids.ts'
import type { Engine } from './engine.ts'

/** How much stands in a queue. `waiting` has no priority, `prioritized` has one; both also while paused. */
export type QueueCounts = Readonly<{
  queue: string
  waiting: number
  prioritized: number
  active: number
  delayed: number
  failed: number
  completed: number
  paused: boolean
}>

/** The counts of each queue, in the order of the names. */
export const queueOverview = <Name extends string>(
  engine: Engine,
  names: readonly QueueName<Name>[],
): Promise<QueueCounts[]> => Promise.all(names.map((name) => countQueue(engine, name)))

async function countQueue(engine: Engine, name: string): Promise<QueueCounts> {
  const queue = engine.queue(name)
  const [counts, byPriority, paused] = await Promise.all([
    queue.getJobCounts('prioritized', 'active', 'delayed', 'failed', 'completed'),
    // Not the plain count of the waiting: on PostgreSQL that is 0 for a paused queue.
    queue.getCountsPerPriority([0]),
    queue.isPaused(),
  ])
  const count = (state: string) => counts[state] ?? 0
  return {
    queue: name,
    waiting: byPriority['0'] ?? 0,
    prioritized: count('prioritized'),
    active: count('active'),
    delayed: count('delayed'),
    failed: count('failed'),
    completed: count('completed'),
    paused,
  }
}

/** Lets every worker of the fleet leave this queue alone; what runs goes on. */
export const pauseQueue = (engine: Engine, name: string): Promise<void> => engine.queue(name).pause()

/** Lets the workers take jobs from this queue again. */
export const resumeQueue = (engine: Engine, name: string): Promise<void> => engine.queue(name).resume()
