import { day, toMinuteText } from '../../market/instant.ts'
import { listPending } from '../../store/detach-partition.ts'
import { type DetachedTable, listDetached } from '../../store/orphan-partitions.ts'
import { partitionedTables } from '../../store/partitions.ts'
import { databaseOf } from '../../store/transaction.ts'
import { bytesText } from '../output.ts'
import { type Check, error, type Finding, warning } from './check.ts'
import { shortened } from './words.ts'

/** Retention runs once a day: what a run has left over, the next one or the one after it finishes. */
const patienceMs = 2 * day

/** That no partition stands beside its table, where no reader finds its rows. */
export const detachedPartitions: Check = {
  name: 'detached',
  run: async ({ pool, settings, now }): Promise<Finding[]> => {
    const tables = partitionedTables(settings).map(({ name }) => name)
    const detached = await listDetached(databaseOf(pool), tables)
    const pending = (await listPending(pool, tables)).map(({ name }) => name)
    const stuck = detached.filter(
      ({ expiringSince }) => expiringSince !== undefined && now - expiringSince > patienceMs,
    )
    return [
      ...detached.filter(({ expiringSince }) => expiringSince === undefined).map(orphanFinding),
      ...stuck.map(({ name, expiringSince }) =>
        error(
          `${name} was to be dropped since ${expiringSince === undefined ? '' : toMinuteText(expiringSince)} and is still there.`,
          'beacon retention tells what keeps it',
        ),
      ),
      ...(pending.length === 0
        ? []
        : [
            warning(
              `Detaching ${shortened(pending)} was interrupted; no other partition of its table can go meanwhile.`,
              'beacon retention goes on with it',
            ),
          ]),
    ]
  },
}

const orphanFinding = ({ name, bytes }: DetachedTable): Finding =>
  error(
    `${name} (${bytesText(bytes)}) belongs to no table, and nobody will drop it.`,
    `Attach it again (alter table … attach partition ${name} …), or: drop table ${name}`,
  )
