import { z } from 'zod'
import { defineJob } from '../src/queue/job.ts'
import { acceptFirstKeeps } from '../src/store/lifecycle/accepted-policies.ts'
import { keepsOf } from '../src/store/lifecycle/retention.ts'
import { makePartitions, throwObstacles } from '../src/store/partitions/create-partitions.ts'
import type { Obstacle } from '../src/store/partitions/obstacles.ts'
import { partitionedTables, partitionsAhead } from '../src/store/partitions.ts'
import { databaseOf } from '../src/store/transaction.ts'

/** By the clock only: data may have wrong times. */
export const ensurePartitions = defineJob({
  name: 'ensure-partitions',
  summary: 'Makes the partitions that will soon be needed',
  payload: z.strictObject({}),
  queueOf: () => 'maintenance',
  idOf: () => 'ensure-partitions',
  priority: 0,
  schedules: () => [
    { id: 'ensure-partitions', pattern: '40 0 * * * *', payload: {}, whenMissed: 'run-once' },
  ],
  run: async ({ pool, settings, clock }) => {
    await acceptFirstKeeps(databaseOf(pool), keepsOf(settings), clock.now())
    const made: string[] = []
    const obstacles: Obstacle[] = []
    for (const table of partitionedTables(settings)) {
      const ahead =
        table.timeframe === undefined ? settings.prices.ahead : settings.timeframes[table.timeframe]?.ahead
      const ranges = partitionsAhead(table, clock.now(), ahead ?? 1).map(({ range }) => range)
      const outcome = await makePartitions(pool, table, ranges, settings.database.lockTimeout)
      made.push(...outcome.made)
      obstacles.push(...outcome.obstacles)
    }
    // Thrown late, so that one table's obstacle does not affect others.
    throwObstacles(obstacles)
    return { made }
  },
})
