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
    /** Adds what this process has just counted to what is shown. */
    flushCounts?(): Promise<void>
  }>

/** Prometheus gives up on a scrape after ten seconds by default. */
const answerLimitMs = 4 * second

/** Prometheus keeps `_total` for counters. */
const misnamed = [
  'nodejs_active_resources_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
]

/** `/metrics`: what the fleet counts, what its stores tell, and the figures of this process. */
export function serveMetrics(app: FastifyInstance, deps: Deps): void {
  const own = new Registry()
  collectDefaultMetrics({ register: own })
  // They are gauges, and the sums of others.
  for (const name of misnamed) own.removeSingleMetric(name)
  // For all who ask at the same time, also when it hangs: each one more would hold connections that the jobs need.
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

/** The other figures are worth knowing while one cannot be read. */
async function orNothing<T>({ log }: Deps, name: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await within(answerLimitMs, read(), `the figures of ${name} did not come in time`)
  } catch (error) {
    log.warn('metrics.unavailable', { collector: name, reason: reasonOf(error) })
    return undefined
  }
}
