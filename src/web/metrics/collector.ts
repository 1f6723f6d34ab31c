import type { Pool } from 'pg'
import type { Pause } from '../../http/pauses.ts'
import type { Engine } from '../../queue/engine.ts'
import type { AnyJob } from '../../queue/job.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Settings } from '../../settings.ts'

/** What figures are read from. */
export type MetricsDeps = Readonly<{
  settings: Settings
  pool: Pool
  engine: Engine
  /** What stands against asking the sources now. */
  pauses(): Promise<readonly Pause[]>
  jobs: readonly AnyJob[]
  queues: readonly string[]
  clock: Clock
}>

/** A figure that goes up and down. Its labels have few values: sources and tables, never coins. */
type GaugeDefinition = Readonly<{ help: string; labels: readonly string[] }>

/** One reading of a gauge of the collector. */
export type Sample<Name extends string = string> = Readonly<{
  name: Name
  labels?: Readonly<Record<string, string>>
  value: number
}>

/**
 * Reads some figures when somebody asks for them. `gauges` are all that it may give, by their names for Prometheus; what it
 * cannot tell now it leaves out. It throws when it cannot tell anything, and the others are told all the same.
 */
export type Collector<Name extends string = string> = Readonly<{
  name: string
  gauges: Readonly<Record<Name, GaugeDefinition>>
  collect(deps: MetricsDeps): Promise<readonly Sample<Name>[]>
}>

/** Declares a collector; that it gives no other gauges is taken from their names. */
export const defineCollector = <Name extends string>(collector: Collector<Name>): Collector<Name> => collector
