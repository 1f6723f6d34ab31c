import type { QueueName } from '../settings/source-ids.ts'
import type { Engine } from './engine.ts'

/** `waiting`: without priority, `prioritized`: with; both include paused. */
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
    // On PostgreSQL the plain count is 0 for a paused queue.
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

export const pauseQueue = (engine: Engine, name: string): Promise<void> => engine.queue(name).pause()

export const resumeQueue = (engine: Engine, name: string): Promise<void> => engine.queue(name).resume()
