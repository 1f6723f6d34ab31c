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
  /** Current pauses. */
  pauses(): Promise<readonly Pause[]>
  jobs: readonly AnyJob[]
  queues: readonly string[]
  clock: Clock
}>

/** Labels have few values: never coins. */
type GaugeDefinition = Readonly<{ help: string; labels: readonly string[] }>

/** One reading of a gauge of the collector. */
export type Sample<Name extends string = string> = Readonly<{
  name: Name
  labels?: Readonly<Record<string, string>>
  value: number
}>

/** Unknown values are left out; throws if nothing is known. */
export type Collector<Name extends string = string> = Readonly<{
  name: string
  gauges: Readonly<Record<Name, GaugeDefinition>>
  collect(deps: MetricsDeps): Promise<readonly Sample<Name>[]>
}>

/** Types gauge names. */
export const defineCollector = <Name extends string>(collector: Collector<Name>): Collector<Name> => collector
