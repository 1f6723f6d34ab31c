import { AggregatorRegistry, Gauge, Registry } from 'prom-client'
import { type Counted, counted } from '../../metrics/counted.ts'
import type { FleetCount } from '../../store/runs/fleet-counters.ts'
import type { Collector, Sample } from './collector.ts'

/** Undefined: failed. */
export type Reading = Readonly<{ collector: Collector; samples: readonly Sample[] | undefined }>

/** Prometheus text of fleet counters. */
export function exposeCounts(counts: readonly FleetCount[]): Promise<string> {
  const metrics = Object.values<Counted>(counted).map((metric) => {
    const { name, help, buckets } = metric
    const values = buckets === undefined ? countsOf(counts, name) : histogramOf(counts, name, buckets)
    return { name, help, type: buckets === undefined ? 'counter' : 'histogram', aggregator: 'sum', values }
  })
  return AggregatorRegistry.aggregate([metrics]).metrics()
}

const countsOf = (counts: readonly FleetCount[], name: string): FleetCount[] =>
  counts.filter((one) => one.name === name)

type NamedValue = Readonly<{ metricName: string; labels: Readonly<Record<string, string>>; value: number }>

/** Includes empty buckets and +Inf. */
function histogramOf(counts: readonly FleetCount[], name: string, buckets: readonly number[]): NamedValue[] {
  const filled = new Map(
    countsOf(counts, `${name}_bucket`).map(({ labels, value }) => [keyOf(labels), value]),
  )
  const sums = new Map(countsOf(counts, `${name}_sum`).map(({ labels, value }) => [keyOf(labels), value]))
  return countsOf(counts, `${name}_count`).flatMap(({ labels, value }) => [
    ...buckets.map((bound) => {
      const own = { ...labels, le: String(bound) }
      return { metricName: `${name}_bucket`, labels: own, value: filled.get(keyOf(own)) ?? 0 }
    }),
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value },
    { metricName: `${name}_sum`, labels, value: sums.get(keyOf(labels)) ?? 0 },
    { metricName: `${name}_count`, labels, value },
  ])
}

const keyOf = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** Throws for an undeclared label. */
export function exposeReadings(readings: readonly Reading[]): Promise<string> {
  const registry = new Registry()
  const answers = new Gauge({
    name: 'beacon_collector_up',
    help: '1 where a group of these figures could be read just now.',
    labelNames: ['collector'],
    registers: [registry],
  })
  for (const { collector, samples } of readings) {
    answers.set({ collector: collector.name }, samples === undefined ? 0 : 1)
    for (const [name, { help, labels }] of Object.entries(collector.gauges)) {
      const gauge = new Gauge({ name, help, labelNames: [...labels], registers: [registry] })
      // Without labels it would report 0.
      if (labels.length === 0) gauge.remove()
      for (const sample of samples ?? [])
        if (sample.name === name) gauge.set(sample.labels ?? {}, sample.value)
    }
  }
  return registry.metrics()
}
