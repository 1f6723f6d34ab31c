import { systemClock } from '../runtime/clock.ts'
import { type Attributes, currentSpan, type Span, type Tracer, traceparentOf } from '../runtime/trace.ts'
import type { EngineJob } from './engine.ts'

/**
 * Begins the run of a job that was just taken from its queue. The trace is known from the job alone, so that all its runs
 * belong to it, on whichever machines they are. BullMQ's own telemetry would do for jobs that we enqueue, but it hands the
 * trace of each tick on to the next, and traces every look into a queue.
 */
export function beginRun(tracer: Tracer | undefined, queued: EngineJob): Span | undefined {
  const { name, queueName, id = '', timestamp, opts } = queued
  const isTick = queued.repeatJobKey !== undefined
  // BullMQ makes a tick when the one before it runs, and keeps there when it is due.
  const dueAt = (isTick ? opts.prevMillis : undefined) ?? timestamp + (opts.delay ?? 0)
  const beganAt = isTick ? dueAt : timestamp
  const attributes = {
    'messaging.system': 'bullmq',
    'messaging.destination.name': queueName,
    'messaging.message.id': id,
    'beacon.job': name,
  }
  const cause = opts.telemetry?.metadata
  const root = tracer?.root(`${queueName} ${id} ${timestamp}`, `${isTick ? 'tick' : 'queued'} ${name}`, {
    kind: 'producer',
    attributes,
    at: beganAt,
    ...(cause === undefined ? {} : { cause }),
  })
  if (!root) return undefined
  if (queued.attemptsStarted <= 1) {
    // The clock of whoever enqueued it may be ahead of ours.
    root.begin('wait', { at: dueAt, attributes }).end(Math.max(dueAt, systemClock.now()))
    root.end(beganAt)
  }
  const attempt = queued.attemptsMade + 1
  return root.begin(`run ${name}`, {
    kind: 'consumer',
    attributes: { ...attributes, 'beacon.attempt': attempt },
  })
}

/** The queue's option by which a job knows what brought it about. */
export function causeOption(): { telemetry?: { metadata: string } } {
  const span = currentSpan()
  return span ? { telemetry: { metadata: traceparentOf(span) } } : {}
}

const reported = {
  source: 'beacon.source',
  timeframe: 'beacon.timeframe',
  coinId: 'beacon.coin',
  symbol: 'beacon.market',
}

/** What the payload says of where and what. */
export const attributesOf = (payload: unknown): Attributes =>
  typeof payload === 'object' && payload !== null
    ? Object.fromEntries(
        Object.entries(reported).flatMap(([field, attribute]) => {
          const value = new Map(Object.entries(payload)).get(field)
          return typeof value === 'string' ? [[attribute, value]] : []
        }),
      )
    : {}

/** What came of a run, as far as it is a single fact. */
export const outcomeAttributes = (outcome: object): Attributes =>
  Object.fromEntries(
    Object.entries(outcome).flatMap(([name, value]) =>
      typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string'
        ? [[`beacon.outcome.${name}`, value]]
        : [],
    ),
  )
