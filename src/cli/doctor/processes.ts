import { commandLine } from '../../command-line.ts'
import { presentRoles } from '../../runtime/presence.ts'
import { type Role, roles } from '../../settings/roles.ts'
import { type Check, error, type Finding, warning } from './check.ts'
import { isWorkOutstanding } from './overdue-runs.ts'

const missing: Readonly<Record<Role, string>> = {
  worker: 'No process works on the queues: nothing that is due is done.',
  scheduler: 'No process keeps the schedule: new coins get no jobs, and what was missed is not caught up.',
  web: 'No process serves the status page, the API and the metrics.',
}

export const processes: Check = {
  name: 'processes',
  run: async (deps): Promise<Finding[]> => {
    const { pool, settings } = deps
    const queueKind = settings.environment.redisUrl === undefined ? 'postgres' : 'redis'
    const present = await presentRoles(pool, queueKind)
    const absent = roles.filter((role) => !present.has(role))
    if (absent.length === 0) return []
    // No work is due yet.
    const severity = !present.has('worker') && (await isWorkOutstanding(deps)) ? error : warning
    if (absent.length === roles.length) return [severity('No daemon is running.', 'npx beacon start')]
    return absent.map((role) =>
      (role === 'worker' ? severity : warning)(missing[role], commandLine`npx beacon start --roles ${role}`),
    )
  },
}
