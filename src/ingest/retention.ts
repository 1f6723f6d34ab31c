import type { Pool } from 'pg'
import { Aborted, Fault } from '../fault.ts'
import { type Instant, plus, toInstant } from '../market/instant.ts'
import { subtract, toAlignedRange } from '../market/range.ts'
import { floorTo, toAligned } from '../market/timeframe.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Settings } from '../settings.ts'
import { alone } from '../store/alone.ts'
import { detachPartition, listPending } from '../store/detach-partition.ts'
import type { Steps } from '../store/drop-partition.ts'
import { listExpiring } from '../store/expiring-partitions.ts'
import { listPartitions } from '../store/list-partitions.ts'
import { deleteOldRows } from '../store/old-rows.ts'
import { retentionPolicies } from '../store/retention.ts'
import type { Safekeepings } from '../store/safekeeping.ts'
import { databaseOf, inTransaction } from '../store/transaction.ts'
import { trimLedger } from '../store/trim-ledger.ts'
import { expireLeaf, finishLeaf, type LeafRun } from './retention-leaf.ts'
import { type PlannedRows, readRetentionPlan, refusalOf } from './retention-plan.ts'

export type RetentionReach = Readonly<{
  pool: Pool
  settings: Settings
  clock: Clock
  signal: AbortSignal
  safekeepings: Safekeepings
  /** Where a test ends the process. */
  steps?: Steps
}>

/** How a run tells what it is doing; a job's report fits. */
export type RetentionReport = Readonly<{
  progress(done: number, total: number): Promise<void>
  log(line: string): Promise<void>
}>

export type HeldBack = Readonly<{ partition: string; reason: string }>

export type RetentionOutcome = Readonly<{
  dropped: readonly string[]
  rows: number
  bytes: number
  heldBack: readonly HeldBack[]
  /** How many rows went one by one, by table. */
  deleted: Readonly<Record<string, number>>
}>

/**
 * Lets go of everything that is older than it is kept, one process at a time. Each leaf is made safe, detached, proved
 * once more and dropped; one that cannot go now holds up no other. `agreed`: more than half of a table may go at once.
 * Throws Misconfigured where the clocks disagree, before anything is touched, and where somebody has to agree, after the
 * rest is done.
 */
export const enforceRetention = (
  reach: RetentionReach,
  agreed: boolean,
  report: RetentionReport,
): Promise<RetentionOutcome> =>
  alone(
    reach.pool,
    'retention',
    'retention is being enforced already: try again when that run is done',
    (stillAlone) => enforce(reach, agreed, report, stillAlone),
  )

async function enforce(
  reach: RetentionReach,
  agreed: boolean,
  report: RetentionReport,
  stillAlone: () => Promise<void>,
): Promise<RetentionOutcome> {
  const before = await readRetentionPlan(reach, agreed)
  if (before.refusal !== undefined) throw refusalOf(before)
  const run = runOf(reach, before.asOf)
  const tally = new Tally(reach.signal, stillAlone, report)
  for (const leaf of await listExpiring(databaseOf(run.pool)))
    await tally.attempt(leaf.name, () => finishLeaf(run, leaf))
  await finishOthers(run)
  // What has come back into its table is judged like any other.
  const plan = await readRetentionPlan(reach, agreed)
  const going = plan.partitions.filter(({ verdict }) => verdict === 'goes')
  for (const [index, { partition, policy }] of going.entries()) {
    const expire = () => expireLeaf(run, { ...partition, ending: policy.ending })
    await tally.attempt(partition.name, expire, partition)
    await report.progress(index + 1, going.length)
  }
  for (const { partition, verdict, reason } of plan.partitions)
    if (verdict === 'held-back') await tally.holdBack(partition.name, reason)
  await trimLeftovers(run)
  const deleted = await deleteRows(run, reach.signal, plan.rows)
  tally.throwFirst()
  const refusal = refusalOf(plan)
  if (refusal !== undefined) throw refusal
  return { ...tally.sums, deleted }
}

/** A detaching waits this often for transactions that may still read the leaf, each time as long as for a lock. */
const detachTries = 4

const runOf = ({ pool, settings, signal, safekeepings, steps }: RetentionReach, now: Instant): LeafRun => ({
  pool,
  settings,
  safekeepings,
  steps: steps ?? (async () => undefined),
  now,
  policies: retentionPolicies(settings),
  detaching: { pool, signal, patience: { waitMs: settings.database.lockTimeout, tries: detachTries } },
})

/** What became of each leaf. A foreseen failure is that leaf's alone, and told at the end. */
class Tally {
  readonly #signal: AbortSignal
  readonly #stillAlone: () => Promise<void>
  readonly #report: RetentionReport
  readonly #dropped: string[] = []
  readonly #heldBack: HeldBack[] = []
  readonly #failures: Fault[] = []
  #rows = 0
  #bytes = 0

  constructor(signal: AbortSignal, stillAlone: () => Promise<void>, report: RetentionReport) {
    this.#signal = signal
    this.#stillAlone = stillAlone
    this.#report = report
  }

  get sums(): Omit<RetentionOutcome, 'deleted'> {
    return { dropped: this.#dropped, rows: this.#rows, bytes: this.#bytes, heldBack: this.#heldBack }
  }

  /** `work` tells why the leaf stays; undefined when it is gone. */
  async attempt(
    name: string,
    work: () => Promise<string | undefined>,
    held?: Readonly<{ rows: number; bytes: number }>,
  ): Promise<void> {
    if (this.#signal.aborted) throw new Aborted('retention was stopped: the next run continues from there')
    await this.#stillAlone()
    const reason = await work().catch((error) => this.#keep(error))
    if (reason !== undefined) return this.holdBack(name, reason)
    this.#dropped.push(name)
    this.#rows += held?.rows ?? 0
    this.#bytes += held?.bytes ?? 0
    await this.#report.log(held ? `${name} is dropped with ${held.rows} rows` : `${name} is dropped`)
  }

  async holdBack(partition: string, reason: string): Promise<void> {
    this.#heldBack.push({ partition, reason })
    await this.#report.log(`${partition} stays: ${reason}`)
  }

  throwFirst(): void {
    const [failure] = this.#failures
    if (failure) throw failure
  }

  #keep(error: unknown): string {
    if (!(error instanceof Fault) || error instanceof Aborted) throw error
    this.#failures.push(error)
    return error.message
  }
}

/** An interrupted detaching keeps every other leaf of its table from being detached, whoever began it. */
async function finishOthers({ pool, policies, detaching }: LeafRun): Promise<void> {
  const tables = policies.map(({ table }) => table.name)
  for (const leaf of await listPending(pool, tables)) await detachPartition(detaching, leaf)
}

/** What the ledger says of a time that has no leaf and that no run will touch again: nobody asks for it any more. */
async function trimLeftovers({ pool, policies, now }: LeafRun): Promise<void> {
  const underWay = await listExpiring(databaseOf(pool))
  for (const { table, keepMs } of policies) {
    const { name, timeframe } = table
    if (timeframe === undefined) continue
    const leaves = [
      ...(await listPartitions(pool, [name])),
      ...underWay.filter((leaf) => leaf.table === name),
    ]
    const past = { from: toAligned(timeframe, toInstant(0)), to: floorTo(timeframe, plus(now, -keepMs)) }
    const bare = subtract(
      past,
      leaves.map(({ range }) => toAlignedRange(timeframe, range)),
    )
    await inTransaction(pool, ({ db }) => trimLedger(db, timeframe, bare, now), 'upkeep')
  }
}

async function deleteRows(
  { pool }: LeafRun,
  signal: AbortSignal,
  planned: readonly PlannedRows[],
): Promise<Record<string, number>> {
  const deleted: Record<string, number> = {}
  for (const { table, by, before, ending } of planned)
    if (ending === 'drop') deleted[table] = await deleteOldRows(pool, { table, by }, before, signal)
  return deleted
}
