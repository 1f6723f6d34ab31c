import { type Instant, second } from '../market/instant.ts'
import type { Engine } from './engine.ts'
import { heartbeat } from './heartbeat.ts'
import { heartbeatSchedule } from './schedule.ts'

export type IdleQueue = Readonly<{ queue: string; lateMs: number }>

const timeoutMs = 30 * second

/** Unpaused queues in which no heartbeat finishes. */
export async function idleQueues(
  engine: Engine,
  queues: readonly string[],
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

export async function pausedQueues(engine: Engine, queues: readonly string[]): Promise<ReadonlySet<string>> {
  const paused = await Promise.all(queues.map((name) => engine.queue(name).isPaused()))
  return new Set(queues.filter((_name, place) => paused[place]))
}
