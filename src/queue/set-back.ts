import { type Instant, plus, second } from '../market/instant.ts'
import type { QueueName } from '../settings/source-ids.ts'
import type { Engine, EngineJob, EngineQueue } from './engine.ts'

/** Queue entries in the future, written by a clock that was ahead. */
export type SetBack = Readonly<{ promoted: number; removed: number; unlocked: number }>

const toleranceMs = 5 * second

const pageSize = 200

/**
 * Promotes delayed jobs, removes finished ones and shortens locks that a fast clock put in the future. Schedules are
 * handled elsewhere.
 */
export async function healSetBack<Name extends string>(
  engine: Engine,
  queues: readonly QueueName<Name>[],
  now: Instant,
): Promise<SetBack> {
  let [promoted, removed, unlocked] = [0, 0, 0]
  for (const name of queues) {
    const queue = engine.queue(name)
    removed += await engine.forgetFuture(queue, plus(now, toleranceMs))
    promoted += await promoteFuture(queue, now)
    unlocked += await engine.shortenLocks(queue, now)
  }
  return { promoted, removed, unlocked }
}

type Times = Pick<EngineJob, 'timestamp' | 'processedOn'>

/** By the time it was last delayed. */
const isOfFuture = ({ timestamp, processedOn = 0 }: Times, now: Instant): boolean =>
  Math.max(timestamp, processedOn) > now + toleranceMs

async function promoteFuture(queue: EngineQueue, now: Instant): Promise<number> {
  let promoted = 0
  for (let first = 0; ; ) {
    const page = await queue.getDelayed(first, first + pageSize - 1)
    const early = page.filter((job) => job?.repeatJobKey === undefined && job && isOfFuture(job, now))
    for (const job of early) await job.promote()
    promoted += early.length
    if (page.length < pageSize) return promoted
    // Promoted ones left the list.
    first += page.length - early.length
  }
}
