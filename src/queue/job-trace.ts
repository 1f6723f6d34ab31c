import { systemClock } from '../runtime/clock.ts'
import {
  type Attributes,
  currentSpan,
  foreseenIds,
  type Span,
  type Tracer,
  traceparentOf,
} from '../runtime/trace.ts'
import type { EngineJob } from './engine.ts'

type QueuedJob = Readonly<{ queueName: string; id?: string | undefined; timestamp: number }>

const keyOf = ({ queueName, id = '', timestamp }: QueuedJob): string => `${queueName} ${id} ${timestamp}`

/** The trace of all runs of the job, where it is sampled. */
export const traceIdOf = (queued: QueuedJob): string => foreseenIds(keyOf(queued)).traceId

/**
 * Starts the run's span. The trace id derives from the job, so that all runs share it. BullMQ's telemetry would chain
 * the ticks into one trace and trace every poll.
 */
export function beginRun(tracer: Tracer | undefined, queued: EngineJob): Span | undefined {
  const { name, queueName, id = '', timestamp, opts } = queued
  const isTick = queued.repeatJobKey !== undefined
  // BullMQ creates a tick when the previous one runs; prevMillis is its due time.
  const dueAt = (isTick ? opts.prevMillis : undefined) ?? timestamp + (opts.delay ?? 0)
  const beganAt = isTick ? dueAt : timestamp
  const attributes = {
    'messaging.system': 'bullmq',
    'messaging.destination.name': queueName,
    'messaging.message.id': id,
    'beacon.job': name,
  }
  const cause = opts.telemetry?.metadata
  const root = tracer?.root(keyOf(queued), `${isTick ? 'tick' : 'queued'} ${name}`, {
    kind: 'producer',
    attributes,
    at: beganAt,
    ...(cause === undefined ? {} : { cause }),
  })
  if (!root) return undefined
  if (queued.attemptsStarted <= 1) {
    // Another machine's clock may be ahead.
    root.begin('wait', { at: dueAt, attributes }).end(Math.max(dueAt, systemClock.now()))
    root.end(beganAt)
  }
  const attempt = queued.attemptsMade + 1
  return root.begin(`run ${name}`, {
    kind: 'consumer',
    attributes: { ...attributes, 'beacon.attempt': attempt },
  })
}

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

export const attributesOf = (payload: unknown): Attributes =>
  typeof payload === 'object' && payload !== null
    ? Object.fromEntries(
        Object.entries(reported).flatMap(([field, attribute]) => {
          const value = new Map(Object.entries(payload)).get(field)
          return typeof value === 'string' ? [[attribute, value]] : []
        }),
      )
    : {}

export const outcomeAttributes = (outcome: object): Attributes =>
  Object.fromEntries(
    Object.entries(outcome).flatMap(([name, value]) =>
      typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string'
        ? [[`beacon.outcome.${name}`, value]]
        : [],
    ),
  )
