import { readRetentionPlan } from '../../lifecycle/retention-plan.ts'
import { nameOf } from '../../store/lifecycle/list-partitions.ts'
import type { Hold } from '../../store/lifecycle/partition-holds.ts'
import { type Check, error, type Finding } from './check.ts'

export const retention: Check = {
  name: 'retention',
  run: async ({ pool, settings, clock }) => {
    const { partitions, holds } = await readRetentionPlan({ pool, settings, clock }, false)
    const found = new Map<string, Finding>()
    // Current holds replace recorded ones; unbounded partitions are reported elsewhere.
    for (const one of holds.filter(({ range }) => range !== undefined))
      found.set(nameOf(one), findingOf(nameOf(one), one.hold))
    for (const { partition, hold } of partitions)
      if (hold) found.set(nameOf(partition), findingOf(nameOf(partition), hold))
    return [...found.values()]
  },
}

const findingOf = (name: string, { reason, remedy }: Hold): Finding =>
  error(
    `${name} is not deleted by retention: ${reason}.`,
    remedy ?? 'It is tried again every 5 minutes; beacon retention --dry-run shows the plan.',
  )
