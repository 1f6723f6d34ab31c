import {
  type DeleteDeps,
  deletePartition,
  deletePartitions,
  partitionsAtOnce,
} from '../store/lifecycle/delete-partitions.ts'
import type { PlannedPartition } from '../store/lifecycle/retention.ts'
import type { Proof, Safekeeping } from '../store/lifecycle/safekeeping.ts'
import type { RetentionDeps, RetentionReport } from './retention-deps.ts'
import type { RetentionPlan } from './retention-plan.ts'
import type { RetentionTally } from './retention-tally.ts'

type Work = Readonly<{
  deps: RetentionDeps
  plan: RetentionPlan
  tally: RetentionTally
  /** Number of further partitions done. */
  advance(partitions: number): Promise<void>
}>

export async function deletePlanned(
  deps: RetentionDeps,
  plan: RetentionPlan,
  going: readonly PlannedPartition[],
  tally: RetentionTally,
  report: RetentionReport,
): Promise<void> {
  let done = 0
  const advance = async (partitions: number) => {
    done += partitions
    await report.progress(done, going.length)
  }
  const work = { deps, plan, tally, advance }
  for (const table of new Set(going.map(({ partition }) => partition.table))) {
    const own = going.filter(({ partition }) => partition.table === table)
    const isKept = (one: PlannedPartition) => safekeepingsFor(work, one).length > 0
    await deleteTogether(
      work,
      own.filter((one) => !isKept(one)),
    )
    for (const planned of own.filter(isKept)) await deleteAlone(work, planned)
  }
}

const safekeepingsFor = ({ deps }: Work, { partition, policy }: PlannedPartition): readonly Safekeeping[] =>
  deps.safekeepings(partition, policy.ending)

const deleteDeps = ({ deps, plan }: Work, { policy }: PlannedPartition): DeleteDeps => ({
  pool: deps.pool,
  lockTimeoutMs: deps.settings.database.lockTimeout,
  steps: deps.steps ?? (async () => undefined),
  now: plan.asOf,
  timeframe: policy.table.timeframe,
})

async function deleteAlone(work: Work, planned: PlannedPartition): Promise<void> {
  const { tally, advance } = work
  const { partition } = planned
  await tally.proceed()
  const proofs = await prepare(work, planned)
  if (proofs && (await deleteProven(work, planned, proofs))) await tally.drop(partition)
  await advance(1)
}

/** Undefined if what must be kept could not be written. */
async function prepare(work: Work, planned: PlannedPartition): Promise<Proof[] | undefined> {
  const proofs: Proof[] = []
  try {
    for (const keep of safekeepingsFor(work, planned)) proofs.push(await keep(planned.partition))
    await deleteDeps(work, planned).steps('prepared')
    return proofs
  } catch (error) {
    await work.tally.fail(planned.partition, error, 'storage')
    return undefined
  }
}

async function deleteProven(
  work: Work,
  planned: PlannedPartition,
  proofs: readonly Proof[],
): Promise<boolean> {
  const own = deleteDeps(work, planned)
  try {
    await deletePartition(own, planned.partition, proofs)
  } catch (error) {
    await work.tally.fail(planned.partition, error)
    return false
  }
  await own.steps('gone')
  return true
}

async function deleteTogether(work: Work, planned: readonly PlannedPartition[]): Promise<void> {
  const [first] = planned
  if (!first) return
  const { tally, advance } = work
  const own = deleteDeps(work, first)
  const most = await partitionsAtOnce(own, first.partition)
  for (let rest = planned; rest.length > 0; ) {
    await tally.proceed()
    const partitions = rest.slice(0, most).map(({ partition }) => partition)
    try {
      const { deleted, failed } = await deletePartitions(own, partitions)
      await own.steps('gone')
      const done = deleted.length + failed.size
      for (const { partition } of rest.slice(0, done)) {
        const failure = failed.get(partition)
        if (failure) await tally.fail(partition, failure)
        else await tally.drop(partition)
      }
      rest = rest.slice(done)
      await advance(done)
    } catch (error) {
      // The parent lock failed, so none can be deleted now.
      for (const { partition } of rest) await tally.fail(partition, error)
      await advance(rest.length)
      return
    }
  }
}
