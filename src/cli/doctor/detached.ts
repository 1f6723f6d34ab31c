import { day, toMinuteText } from '../../market/instant.ts'
import { type DetachedTable, listDetached } from '../../store/orphan-partitions.ts'
import { partitionedTables } from '../../store/partitions.ts'
import { databaseOf } from '../../store/transaction.ts'
import { bytesText } from '../output.ts'
import { type Check, error, type Finding } from './check.ts'

/** Retention runs once a day: what a run has left over, the next one or the one after it finishes. */
const patienceMs = 2 * day

/** That no partition stands beside its table, where no reader finds its rows. */
export const detachedPartitions: Check = {
  name: 'detached',
  run: async ({ pool, settings, now }): Promise<Finding[]> => {
    const tables = partitionedTables(settings).map(({ name }) => name)
    const detached = await listDetached(databaseOf(pool), tables)
    const stuck = detached.filter(
      ({ expiringSince }) => expiringSince !== undefined && now - expiringSince > patienceMs,
    )
    return [
      ...detached.filter(({ expiringSince }) => expiringSince === undefined).map(orphanFinding),
      ...stuck.map(({ name, expiringSince }) =>
        error(
          `${name} was to be dropped since ${expiringSince === undefined ? '' : toMinuteText(expiringSince)} and is still there.`,
          'See what keeps it with: npx beacon retention',
        ),
      ),
    ]
  },
}

const orphanFinding = ({ name, bytes }: DetachedTable): Finding =>
  error(
    `${name} (${bytesText(bytes)}) belongs to no table, and nothing will drop it.`,
    `alter table ${tableOf(name)} attach partition ${name} ${boundsOf(name)} -- or, if its rows are not needed: drop table ${name}`,
  )

const suffixForm = /_y(\d{4})(?:m(\d{2}))?(?:d(\d{2}))?$/

const tableOf = (name: string): string => name.replace(suffixForm, '')

/** A leaf is named after the year, the month or the day that it holds. */
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
