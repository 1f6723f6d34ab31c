import type { Instant } from '../../market/instant.ts'
import type { Ending } from '../../settings/schema.ts'
import type { Database } from '../transaction.ts'
import type { Leaf } from './expiring-partitions.ts'

/** How what must outlive a leaf is kept. */
export type Safekeeping = Readonly<{
  /** Writes it, while the leaf is still part of its table; absent where that is other work, which comes before. */
  prepare?(leaf: Leaf): Promise<void>
  /**
   * Why the leaf must stay, as the end of a sentence; undefined when what must outlive it agrees with its rows. Asked
   * before it is detached, and again in the transaction that drops it, when its rows cannot change any more.
   */
  objection(db: Database, leaf: Leaf): Promise<string | undefined>
  /** In the transaction that drops the leaf, after the last proof. */
  settle?(db: Database, leaf: Leaf, now: Instant): Promise<void>
}>

/** One for each ending that a policy can name. */
export type Safekeepings = Readonly<Record<Ending, Safekeeping>>

/** Nothing is to outlive it. */
export const nothingKept: Safekeeping = { objection: async () => undefined }
