import { type DetachedTable, listDetached } from '../../store/lifecycle/orphan-partitions.ts'
import { partitionedTables } from '../../store/partitions.ts'
import { databaseOf } from '../../store/transaction.ts'
import { bytesText } from '../terminal/output.ts'
import { type Check, error, type Finding } from './check.ts'

export const detachedPartitions: Check = {
  name: 'detached',
  run: async ({ pool, settings }): Promise<Finding[]> => {
    const tables = partitionedTables(settings).map(({ name }) => name)
    return (await listDetached(databaseOf(pool), tables)).map(orphanFinding)
  },
}

const orphanFinding = ({ name, bytes }: DetachedTable): Finding =>
  error(
    `${name} (${bytesText(bytes)}) is detached from its table: queries do not see its rows, and retention does not delete it.`,
    `alter table ${tableOf(name)} attach partition ${name} ${boundsOf(name)} -- or, if its rows are not needed: drop table ${name}`,
  )

const suffixForm = /_y(\d{4})(?:m(\d{2}))?(?:d(\d{2}))?$/

const tableOf = (name: string): string => name.replace(suffixForm, '')

/** From the name's year, month, day. */
function boundsOf(name: string): string {
  const [, year, month, dayOfMonth] = (suffixForm.exec(name) ?? []).map(Number)
  const from = new Date(Date.UTC(year || 0, (month || 1) - 1, dayOfMonth || 1))
  const to = new Date(from)
  if (dayOfMonth) to.setUTCDate(to.getUTCDate() + 1)
  else if (month) to.setUTCMonth(to.getUTCMonth() + 1)
  else to.setUTCFullYear(to.getUTCFullYear() + 1)
  const [first, end] = [from, to].map((date) => `'${date.toISOString().slice(0, 10)}'`)
  return `for values from (${first}) to (${end})`
}
