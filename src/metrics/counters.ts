import type { Pool } from 'pg'
import type { Clock } from '../runtime/clock.ts'
import { everyProcess } from '../runtime/every-process.ts'
import type { Log } from '../runtime/log.ts'
import type { Releases } from '../runtime/release.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import { addToFleetCounters, type FleetCount } from '../store/runs/fleet-counters.ts'
import { databaseOf } from '../store/transaction.ts'
import { type Counted, type CountedName, counted } from './counted.ts'

type Labels<N extends CountedName> = Readonly<Record<(typeof counted)[N]['labels'][number], string>>
type HistogramName = {
  [N in CountedName]: (typeof counted)[N] extends { buckets: unknown } ? N : never
}[CountedName]

/** Counted here, flushed to the database every few seconds. */
export type Counters = Readonly<{
  add<N extends Exclude<CountedName, HistogramName>>(name: N, labels: Labels<N>, by?: number): void
  /** In the unit of the histogram's name. */
  observe<N extends HistogramName>(name: N, labels: Labels<N>, value: number): void
  /** Failed increments are retried next time. */
  flush(): Promise<void>
}>

type Surroundings = Readonly<{ pool: Pool; clock: Clock; log: Log }>

export function openCounters({ pool, clock, log }: Surroundings): Counters {
  let pending = new Map<string, FleetCount>()
  const count = (name: string, labels: Readonly<Record<string, string>>, by: number) => {
    const key = JSON.stringify([name, labels])
    pending.set(key, { name, labels, value: (pending.get(key)?.value ?? 0) + by })
  }
  const flush = async () => {
    const increments = [...pending.values()]
    pending = new Map()
    try {
      await addToFleetCounters(databaseOf(pool), increments, clock.now())
    } catch (error) {
      for (const { name, labels, value } of increments) count(name, labels, value)
      log.warn('metrics.not-written', { reason: reasonOf(error) })
    }
  }
  let flushed = Promise.resolve()
  return {
    add: (name, labels, by = 1) => count(counted[name].name, inOrder(counted[name], labels), by),
    observe: (name, labels, value) => {
      const own = inOrder(counted[name], labels)
      for (const bound of counted[name].buckets) {
        if (value <= bound) count(`${counted[name].name}_bucket`, { ...own, le: String(bound) }, 1)
      }
      count(`${counted[name].name}_sum`, own, value)
      count(`${counted[name].name}_count`, own, 1)
    },
    flush: () => {
      flushed = flushed.then(flush)
      return flushed
    },
  }
}

/** Label order does not matter. */
const inOrder = ({ labels }: Counted, given: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(labels.map((label) => [label, given[label] ?? '']))

const everyTenSeconds = '*/10 * * * * *'

/** Flushes every ten seconds and on release. */
export function startCounting(surroundings: Surroundings, releases: Releases): Counters {
  const counters = openCounters(surroundings)
  const task = everyProcess(everyTenSeconds, () => counters.flush(), surroundings.log)
  releases.push(async () => {
    await task.destroy()
    await counters.flush()
  })
  return counters
}
