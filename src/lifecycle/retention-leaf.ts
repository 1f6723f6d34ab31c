import type { Pool } from 'pg'
import type { Instant } from '../market/instant.ts'
import type { Settings } from '../settings.ts'
import { attachAgain, type DetachReach, detachPartition } from '../store/lifecycle/detach-partition.ts'
import { dropPartition, forgetDropped, type Steps } from '../store/lifecycle/drop-partition.ts'
import {
  beginExpiring,
  type ExpiringLeaf,
  forgetExpiring,
  type Leaf,
  readAttachment,
} from '../store/lifecycle/expiring-partitions.ts'
import { expiryOf, type RetentionPolicy } from '../store/lifecycle/retention.ts'
import type { Safekeepings } from '../store/lifecycle/safekeeping.ts'
import { partitionedTables } from '../store/partitions.ts'
import { databaseOf, inTransaction } from '../store/transaction.ts'

/** One run, as far as a single leaf is concerned. */
export type LeafRun = Readonly<{
  pool: Pool
  settings: Settings
  safekeepings: Safekeepings
  steps: Steps
  now: Instant
  policies: readonly RetentionPolicy[]
  detaching: DetachReach
}>

/** Makes what must outlive the leaf safe, and lets go of it. Returns why it must stay; undefined when it is gone. */
export async function expireLeaf(run: LeafRun, leaf: ExpiringLeaf): Promise<string | undefined> {
  const { pool, safekeepings, steps, now } = run
  const safekeeping = safekeepings[leaf.ending]
  await safekeeping.prepare?.(leaf)
  await steps('prepared')
  const objection = await inTransaction(pool, ({ db }) => safekeeping.objection(db, leaf), 'upkeep')
  if (objection !== undefined) return objection
  await inTransaction(pool, ({ db }) => beginExpiring(db, leaf, now))
  await steps('begun')
  await detachPartition(run.detaching, leaf)
  await steps('detached')
  return dropOrAttach(run, leaf)
}

/** The last proof is of rows that cannot change any more. What came after the first one brings the leaf back. */
async function dropOrAttach(run: LeafRun, leaf: ExpiringLeaf): Promise<string | undefined> {
  const objection = await dropPartition(run, withTimeframe(run, leaf), run.safekeepings[leaf.ending])
  if (objection === undefined) await run.steps('gone')
  else await attachAgain(run.detaching, leaf)
  return objection
}

const withTimeframe = ({ settings }: LeafRun, leaf: Leaf) => ({
  ...leaf,
  timeframe: partitionedTables(settings).find(({ name }) => name === leaf.table)?.timeframe,
})

/**
 * Goes on with a leaf that an interrupted run has begun with, as the configuration has it now. Returns what became of it
 * where it is not gone.
 */
export async function finishLeaf(run: LeafRun, begun: ExpiringLeaf): Promise<string | undefined> {
  const { pool } = run
  const attachment = await readAttachment(databaseOf(pool), begun)
  if (attachment === 'attached') {
    await inTransaction(pool, ({ db }) => forgetExpiring(db, begun))
    return 'it was not detached yet'
  }
  if (attachment === 'gone') {
    await forgetDropped(run, withTimeframe(run, begun))
    return undefined
  }
  await detachPartition(run.detaching, begun)
  const policy = run.policies.find(({ table }) => table.name === begun.table)
  if (policy === undefined || expiryOf(begun, policy) > run.now) {
    await attachAgain(run.detaching, begun)
    return 'it is to be kept now, and is part of its table again'
  }
  return dropOrAttach(run, { ...begun, ending: policy.ending })
}
