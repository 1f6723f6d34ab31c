import { Aborted, Fault } from '../fault.ts'
import { deleteAgingRows } from '../store/lifecycle/delete-aging-rows.ts'
import { archiveRows } from './archive/archive-rows.ts'
import type { RetentionDeps } from './retention-deps.ts'
import type { PlannedRows, RetentionPlan } from './retention-plan.ts'

type Retired = Readonly<{
  deleted: Readonly<Record<string, number>>
  archived: Readonly<Record<string, number>>
  /** Failed tables; the others are done. */
  failures: readonly Fault[]
}>

/** Archives or deletes expired rows of unpartitioned tables. */
export async function retireRows(deps: RetentionDeps, { rows, asOf }: RetentionPlan): Promise<Retired> {
  const deleted: Record<string, number> = {}
  const archived: Record<string, number> = {}
  const failures: Fault[] = []
  const { pool, settings, signal } = deps
  const retire = async ({ table, by, keepMs, ending }: PlannedRows) => {
    if (ending === 'drop') {
      const aging = { table, by, keepMs, now: asOf, timeframes: settings.timeframes }
      deleted[table] = await deleteAgingRows(pool, aging, signal)
    } else {
      const clock = { now: () => asOf }
      archived[table] = (await archiveRows({ pool, settings, clock, signal }, { table, by }, keepMs)).rows
    }
  }
  for (const one of rows) {
    try {
      await retire(one)
    } catch (error) {
      if (!(error instanceof Fault) || error instanceof Aborted) throw error
      failures.push(error)
    }
  }
  return { deleted, archived, failures }
}
