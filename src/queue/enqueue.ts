import { InvalidInput } from '../fault.ts'
import { inSpan } from '../runtime/trace.ts'
import type { Engine, EngineQueue } from './engine.ts'
import type { Job } from './job.ts'
import { jobOptions } from './job-options.ts'
import { causeOption } from './job-trace.ts'
import { readStorablePayload } from './payload.ts'
import { retriesOf } from './retries.ts'

export type EnqueueOptions = Readonly<{
  /** In place of the job's own; 0 is first. */
  priority?: number
  /** Not before so many milliseconds from now. */
  delayMs?: number
  /** It is tried as long as its next run by this pattern is not due. */
  untilDue?: string
}>

/** How many jobs with an id of their own are added at a time. */
const atOnce = 20

/** How many jobs without one are added in one statement. */
const batchSize = 1_000

/**
 * Puts work into its queues and returns the queue's ids, in the order of the payloads. Work that has an id and
 * stands in its queue already, waiting or running, is left as it is; once finished it is done again. Throws
 * InvalidInput for a payload that the job's schema does not take, before anything is added.
 */
export async function enqueue<P>(
  engine: Engine,
  job: Job<P>,
  payloads: readonly P[],
  options: EnqueueOptions = {},
): Promise<string[]> {
  const read = payloads.map((payload) => readStorablePayload(job, payload))
  const attributes = { 'messaging.system': 'bullmq', 'messaging.batch.message_count': read.length }
  return inSpan(`enqueue ${job.name}`, { kind: 'producer', attributes }, () =>
    job.idOf ? addEach(engine, job, read, options) : addTogether(engine, job, read, options),
  )
}

function optionsFor<P>(job: Job<P>, { priority, delayMs, untilDue }: EnqueueOptions) {
  return {
    ...jobOptions(job),
    ...causeOption(),
    ...(priority === undefined ? {} : { priority }),
    ...(delayMs === undefined ? {} : { delay: delayMs }),
    ...(untilDue === undefined ? {} : retriesOf(job, untilDue)),
  }
}

async function addEach<P>(
  engine: Engine,
  job: Job<P>,
  payloads: readonly P[],
  options: EnqueueOptions,
): Promise<string[]> {
  const work = payloads.map((payload) => ({
    id: checkedId(job, payload),
    queue: engine.queue(job.queueOf(payload)),
    payload,
  }))
  for (let first = 0; first < work.length; first += atOnce) {
    await Promise.all(
      work.slice(first, first + atOnce).map(async ({ id, queue, payload }) => {
        await removeFinished(queue, id)
        await queue.add(job.name, payload, { ...optionsFor(job, options), jobId: id })
      }),
    )
  }
  return work.map(({ id }) => id)
}

/** Whether the work waits or runs in its queue now. Only work with an id of its own can be found there. */
export async function isStanding<P>(engine: Engine, job: Job<P>, payload: P): Promise<boolean> {
  const state = await engine.queue(job.queueOf(payload)).getJobState(checkedId(job, payload))
  return !['completed', 'failed', 'unknown'].includes(state)
}

/**
 * A finished job keeps its id taken for as long as it is shown. Two callers may both see it finished, and the
 * second then removes what the first has just added: it adds the same again, and what runs already stays.
 */
async function removeFinished(queue: EngineQueue, id: string): Promise<void> {
  const state = await queue.getJobState(id)
  if (state === 'completed' || state === 'failed') await queue.remove(id)
}

/** BullMQ takes digits alone for its own ids, and colons for the parts of a key. */
function checkedId<P>(job: Job<P>, payload: P): string {
  const id = job.idOf?.(payload) ?? ''
  if (/^(?=.*\D)[^:\s]+$/.test(id)) return id
  throw new InvalidInput(
    `"${id}" cannot be the id of a job of ${job.name}: let its idOf leave out colons and spaces, and not be a number`,
  )
}

async function addTogether<P>(
  engine: Engine,
  job: Job<P>,
  payloads: readonly P[],
  options: EnqueueOptions,
): Promise<string[]> {
  const ids: string[] = []
  for (const [name, places] of placesByQueue(job, payloads)) {
    for (let first = 0; first < places.length; first += batchSize) {
      const batch = places.slice(first, first + batchSize)
      const added = await engine
        .queue(name)
        .addBulk(
          batch.map((place) => ({ name: job.name, data: payloads[place], opts: optionsFor(job, options) })),
        )
      for (const [index, place] of batch.entries()) ids[place] = added[index]?.id ?? ''
    }
  }
  return ids
}

/** Queue → where its payloads stand in the list. */
function placesByQueue<P>(job: Job<P>, payloads: readonly P[]): Map<string, number[]> {
  const places = new Map<string, number[]>()
  for (const [place, payload] of payloads.entries()) {
    const name = job.queueOf(payload)
    const ofQueue = places.get(name)
    if (ofQueue) ofQueue.push(place)
    else places.set(name, [place])
  }
  return places
}
