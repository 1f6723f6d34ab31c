import type { Ending } from '../settings/schema.ts'
import type { Settings } from '../settings.ts'
import type { Partition } from '../store/lifecycle/list-partitions.ts'
import { rolledUp } from '../store/lifecycle/rollup.ts'
import type { Safekeeping } from '../store/lifecycle/safekeeping.ts'
import { keptInSummary, summarisedTables } from '../store/lifecycle/summary-days.ts'
import { type ArchiveDeps, archived } from './archive/archive-partition.ts'

export type Safekeepings = (partition: Pick<Partition, 'table'>, ending: Ending) => readonly Safekeeping[]

export const safekeepingsOf = (deps: ArchiveDeps & Readonly<{ settings: Settings }>): Safekeepings => {
  const endings: Readonly<Record<Ending, readonly Safekeeping[]>> = {
    drop: [],
    archive: [archived(deps)],
    'roll-up': [rolledUp],
  }
  return ({ table }, ending) => [...(summarisedTables.has(table) ? [keptInSummary] : []), ...endings[ending]]
}
