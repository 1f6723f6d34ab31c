import { InvalidInput } from '../fault.ts'
import { inSpan } from '../runtime/trace.ts'
import type { Engine, EngineQueue } from './engine.ts'
import type { Job } from './job.ts'
import { jobOptions } from './job-options.ts'
import { causeOption } from './job-trace.ts'
import { readStorablePayload } from './payload.ts'
import { retriesOf } from './retries.ts'

export type EnqueueOptions = Readonly<{
  priority?: number
  delayMs?: number
  /** Retried until the next run of this pattern. */
  untilDue?: string
}>

/** Jobs with an id are added this many at a time. */
const atOnce = 20

/** Jobs without an id per statement. */
const batchSize = 1_000

/**
 * Adds jobs; returns their ids in order. A job whose id is waiting or running is left; finished ones run again. Throws
 * InvalidInput, before adding any, for a payload that fails its schema.
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

export async function isStanding<P>(engine: Engine, job: Job<P>, payload: P): Promise<boolean> {
  const state = await engine.queue(job.queueOf(payload)).getJobState(checkedId(job, payload))
  return !['completed', 'failed', 'unknown'].includes(state)
}

/** A finished job blocks its id. If two callers remove it at once, both add the same job, and a running one stays. */
async function removeFinished(queue: EngineQueue, id: string): Promise<void> {
  const state = await queue.getJobState(id)
  if (state === 'completed' || state === 'failed') await queue.remove(id)
}

/** BullMQ reserves numeric ids and colons. */
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

/** Queue → indexes of its payloads. */
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
