import { rolledUp } from '../store/lifecycle/rollup.ts'
import { nothingKept, type Safekeepings } from '../store/lifecycle/safekeeping.ts'
import { type ArchiveReach, archiveSafekeeping } from './archive/archive-partition.ts'

/** What each ending of the configuration means. */
export const safekeepingsOf = (reach: ArchiveReach): Safekeepings => ({
  drop: nothingKept,
  archive: archiveSafekeeping(reach),
  'roll-up': rolledUp(reach.pool),
})
