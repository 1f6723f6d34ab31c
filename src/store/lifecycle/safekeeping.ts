import type { Instant } from '../../market/instant.ts'
import type { WritableDatabase } from '../transaction.ts'
import type { Partition } from './list-partitions.ts'

/**
 * Runs in the deleting transaction, with rows locked: writes or verifies what must be kept. Throws PartitionHeld, which
 * rolls back.
 */
export type Proof = (db: WritableDatabase, now: Instant) => Promise<void>

/** Prepares what must be kept; slow work happens here, before rows are locked. */
export type Safekeeping = (partition: Partition) => Promise<Proof>
