import { archives } from './archives.ts'
import type { Check } from './check.ts'
import { clocks } from './clocks.ts'
import { coverage } from './coverage.ts'
import { database, migrations } from './database.ts'
import { detachedPartitions } from './detached.ts'
import { disk } from './disk.ts'
import { markets } from './markets.ts'
import { overdueRuns } from './overdue-runs.ts'
import { partitionsAheadOfTime } from './partitions-ahead.ts'
import { processes } from './processes.ts'
import { retention } from './retention.ts'
import { rights } from './rights.ts'
import { freshness, missingWork } from './series.ts'
import { serverSettings, versions } from './server.ts'
import { statements } from './statements.ts'

/** If one finds an error, the others are skipped. */
export const foundations: readonly Check[] = [database, migrations]

/** To add a check, add a file and an entry here. */
const usual: readonly Check[] = [
  processes,
  partitionsAheadOfTime,
  detachedPartitions,
  retention,
  markets,
  freshness,
  missingWork,
  overdueRuns,
  rights,
  versions,
  serverSettings,
  clocks,
  disk,
  statements,
]

export type Depth = Readonly<{ deep?: boolean; repair?: boolean }>

/** After the foundations. */
export const checks = ({ deep = false, repair = false }: Depth): readonly Check[] => [
  ...usual,
  archives(deep),
  ...(deep ? [coverage(repair)] : []),
]
