import { day, type Instant, plus } from '../../market/instant.ts'
import type { Settings } from '../../settings.ts'
import { retentionPolicies } from '../../store/lifecycle/retention.ts'
import { isBounded, readPartitions, receiving } from '../../store/partitions/catalog.ts'
import { type IrregularPartition, irregularPartitions } from '../../store/partitions/irregular.ts'
import { findObstacles } from '../../store/partitions/obstacles.ts'
import {
  missingPartitions,
  type PartitionedTable,
  partitionedTables,
  partitionsAhead,
} from '../../store/partitions.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, type Deps, error, type Finding, warning } from './check.ts'

export const partitionsAheadOfTime: Check = {
  name: 'partitions',
  run: async ({ pool, settings, now }) => {
    const tables = partitionedTables(settings)
    const db = databaseOf(pool)
    const partitions = await readPartitions(
      db,
      tables.map(({ name }) => name),
    )
    const ahead: Finding[] = []
    for (const table of tables) {
      const own = receiving(partitions).filter((partition) => partition.table === table.name)
      ahead.push(...(await aheadFindings({ pool, settings, now }, table, own)))
    }
    const irregular = irregularPartitions(tables, partitions)
    return [...ahead, ...irregular.map((one) => irregularFinding(one, settings, now))]
  },
}

type AheadDeps = Pick<Deps, 'pool' | 'settings' | 'now'>

async function aheadFindings(
  { pool, settings, now }: AheadDeps,
  table: PartitionedTable,
  own: ReturnType<typeof receiving>,
): Promise<Finding[]> {
  const taken = own.map(({ range }) => range)
  const wanted = partitionsAhead(table, now, aheadOf(settings, table)).map(({ range }) => range)
  const missing = wanted
    .flatMap((range) => missingPartitions(table, taken, range))
    .filter(({ range }) => range.to > now)
  const [first] = missing
  if (!first) return []
  const ranges = missing.map(({ range }) => range)
  const [obstacle] = await findObstacles(databaseOf(pool), table, ranges)
  const remedy =
    obstacle === undefined ? 'npx beacon partitions ensure' : `First see to this: ${obstacle.fault.message}`
  if (first.range.from <= now) return [error(`${table.name} has no partition for what happens now.`, remedy)]
  const days = Math.max(0, Math.floor((first.range.from - now) / day))
  const left = days === 1 ? '1 more day' : `${days} more days`
  return [warning(`${table.name} has partitions for ${left}; ${first.name} is missing.`, remedy)]
}

const aheadOf = ({ timeframes, prices }: Settings, { timeframe }: PartitionedTable): number =>
  (timeframe === undefined ? prices.ahead : timeframes[timeframe]?.ahead) ?? 1

/** An error where rows still arrive or retention is blocked. */
function irregularFinding(
  { partition, kind, fact, remedy }: IrregularPartition,
  settings: Settings,
  now: Instant,
): Finding {
  const policy = retentionPolicies(settings).find(({ table }) => table.name === partition.table)
  const isPast =
    policy !== undefined && isBounded(partition) && partition.range.to <= plus(now, -policy.keepMs)
  const severity = kind === 'default' || (kind === 'detaching' && !isPast) ? error : warning
  return severity(`${fact}.`, remedy)
}
