import { z } from 'zod'
import { defineJob } from '../src/queue/job.ts'
import { ensurePartitions as ensure } from '../src/store/create-partitions.ts'
import { partitionedTables, partitionsAhead } from '../src/store/partitions.ts'

/** The leaves that the clock will soon need; never by the data, which may lie about the time. */
export const ensurePartitions = defineJob({
  name: 'ensure-partitions',
  summary: 'Makes the partitions that will soon be needed',
  payload: z.strictObject({}),
  queueOf: () => 'upkeep',
  idOf: () => 'ensure-partitions',
  priority: 0,
  schedules: () => [
    { id: 'ensure-partitions', pattern: '40 0 * * * *', payload: {}, whenMissed: 'run-once' },
  ],
  run: async ({ pool, settings, clock }) => {
    const made: string[] = []
    for (const table of partitionedTables(settings)) {
      const ahead =
        table.timeframe === undefined ? settings.prices.ahead : settings.timeframes[table.timeframe]?.ahead
      const plans = partitionsAhead(table, clock.now(), ahead ?? 1)
      made.push(...(await ensure(pool, table, plans, settings.database.lockTimeout)))
    }
    return { made }
  },
})
