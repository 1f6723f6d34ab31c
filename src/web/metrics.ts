import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { second } from '../market/instant.ts'
import type { Log } from '../runtime/log.ts'
import { sharedWhileRunning } from '../runtime/share.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import { readFleetCounters } from '../store/runs/fleet-counters.ts'
import { databaseOf } from '../store/transaction.ts'
import { collectors } from './metrics/catalog.ts'
import type { MetricsDeps } from './metrics/collector.ts'
import { exposeCounts, exposeReadings, type Reading } from './metrics/exposition.ts'
import { readZeroCounts, withZeros } from './metrics/zero-counts.ts'

type Deps = MetricsDeps &
  Readonly<{
    log: Log
    /** Flushes pending counters. */
    flushCounts?(): Promise<void>
  }>

/** Prometheus' default timeout is 10 s. */
const answerLimitMs = 4 * second

/** `_total` is reserved for counters. */
const misnamed = [
  'nodejs_active_resources_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
]

/** Fleet counters, store figures and process metrics. */
export function serveMetrics(app: FastifyInstance, deps: Deps): void {
  const own = new Registry()
  collectDefaultMetrics({ register: own })
  for (const name of misnamed) own.removeSingleMetric(name)
  // Shared, as each would hold connections.
  const gather = sharedWhileRunning(() => gatherMetrics(deps, own))
  app.addHook('onClose', async () => own.clear())
  app.get('/metrics', async (_request, reply) => {
    const text = await gather()
    return reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send(text)
  })
}

async function gatherMetrics(deps: Deps, own: Registry): Promise<string> {
  const [counts, readings] = await Promise.all([
    orNothing(deps, 'counts', async () => {
      await deps.flushCounts?.()
      const zeros = await readZeroCounts(deps)
      return withZeros(await readFleetCounters(databaseOf(deps.pool)), zeros)
    }),
    Promise.all(
      collectors.map(async (collector): Promise<Reading> => {
        return { collector, samples: await orNothing(deps, collector.name, () => collector.collect(deps)) }
      }),
    ),
  ])
  const all: Reading[] = [
    { collector: { name: 'counts', gauges: {}, collect: async () => [] }, samples: counts && [] },
    ...readings,
  ]
  const parts = await Promise.all([exposeCounts(counts ?? []), exposeReadings(all), own.metrics()])
  return parts.join('\n')
}

/** Others are still reported. */
async function orNothing<T>({ log }: Deps, name: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await within(answerLimitMs, read(), `the figures of ${name} did not come in time`)
  } catch (error) {
    log.warn('metrics.unavailable', { collector: name, reason: reasonOf(error) })
    return undefined
  }
}
