import { type Instant, plus, second } from '../market/instant.ts'
import type { QueueName } from '../settings/source-ids.ts'
import type { Engine, EngineJob, EngineQueue } from './engine.ts'

/** What was found in the queues that lies in the future: it was written while the clock was ahead. */
export type SetBack = Readonly<{ promoted: number; removed: number; unlocked: number }>

/** As far as the clocks of two machines may differ. */
const toleranceMs = 5 * second

const pageSize = 200

/**
 * Jobs that were put off while the clock was ahead are due now; finished ones would be in the way of the runs whose time they
 * bear; and a lock of a worker that is gone ends as if it had been taken now. The schedules are another's.
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

/** When the job was last put off: when it was added, or when its last run began. */
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
    // Those that were promoted stand in the way no more.
    first += page.length - early.length
  }
}
