import { day } from '../../market/instant.ts'
import type { Settings } from '../../settings.ts'
import { listPartitions } from '../../store/lifecycle/list-partitions.ts'
import {
  type PartitionedTable,
  partitionAt,
  partitionedTables,
  partitionsAhead,
} from '../../store/partitions.ts'
import { type Check, error, type Finding, warning } from './check.ts'

const remedy = 'npx beacon partitions ensure'

/** That there is somewhere for the next rows to go. */
export const partitionsAheadOfTime: Check = {
  name: 'partitions',
  run: async ({ pool, settings, now }) => {
    const tables = partitionedTables(settings)
    const leaves = await listPartitions(
      pool,
      tables.map(({ name }) => name),
    )
    return tables.flatMap((table): Finding[] => {
      const own = new Set(leaves.filter((leaf) => leaf.table === table.name).map(({ name }) => name))
      const missing = partitionsAhead(table, now, aheadOf(settings, table)).filter(
        ({ name }) => !own.has(name),
      )
      const [first] = missing
      if (!first) return []
      if (first.name === partitionAt(table, now).name)
        return [error(`${table.name} has no partition for what happens now.`, remedy)]
      const days = Math.max(0, Math.floor((first.range.from - now) / day))
      const ahead = days === 1 ? '1 more day' : `${days} more days`
      return [warning(`${table.name} has partitions for ${ahead}; ${first.name} is missing.`, remedy)]
    })
  },
}

const aheadOf = ({ timeframes, prices }: Settings, { timeframe }: PartitionedTable): number =>
  (timeframe === undefined ? prices.ahead : timeframes[timeframe]?.ahead) ?? 1
