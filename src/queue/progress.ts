import { type Instant, second } from '../market/instant.ts'
import type { QueueName } from '../settings/source-ids.ts'
import type { Engine } from './engine.ts'
import { heartbeat } from './heartbeat.ts'
import { heartbeatSchedule } from './schedule.ts'

export type IdleQueue = Readonly<{ queue: string; lateMs: number }>

const timeoutMs = 30 * second

/** Of these queues, those that are not paused and in which no heartbeat ends: a worker ends one every few seconds. */
export async function idleQueues<Name extends string>(
  engine: Engine,
  queues: readonly QueueName<Name>[],
  now: Instant,
): Promise<IdleQueue[]> {
  const checked = await Promise.all(
    queues.map(async (name): Promise<IdleQueue | undefined> => {
      const queue = engine.queue(name)
      const [scheduler, isPaused] = await Promise.all([
        queue.getJobScheduler(heartbeatSchedule),
        queue.isPaused(),
      ])
      // Missing schedulers are reported elsewhere.
      if (scheduler?.next === undefined || isPaused) return undefined
      const lateMs = now - scheduler.next
      return lateMs > timeoutMs + heartbeat.everyMs ? { queue: name, lateMs } : undefined
    }),
  )
  return checked.filter((one) => one !== undefined)
}

/** The names of the queues that are paused. */
export async function pausedQueues<Name extends string>(
  engine: Engine,
  queues: readonly QueueName<Name>[],
): Promise<ReadonlySet<string>> {
  const paused = await Promise.all(queues.map((name) => engine.queue(name).isPaused()))
  return new Set(queues.filter((_name, place) => paused[place]))
}
