import type { Instant } from '../../market/instant.ts'
import type { WritableDatabase } from '../transaction.ts'
import type { Partition } from './list-partitions.ts'

/**
 * In the transaction that deletes a partition, whose rows nobody can change any more: writes what must outlive them, or
 * proves that it is written. Throws PartitionHeld where it is not: then the transaction has never been.
 */
export type Proof = (db: WritableDatabase, now: Instant) => Promise<void>

/** How what must outlive a partition is kept. What takes long is done before its rows are locked. */
export type Safekeeping = (partition: Partition) => Promise<Proof>
