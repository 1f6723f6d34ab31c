import { userInfo } from 'node:os'
import { InvalidInput } from '../../fault.ts'
import { findQuarantined, type QuarantinedRow } from '../../store/quarantine.ts'
import type { Database } from '../../store/transaction.ts'

/** Throws InvalidInput for none or several. */
export async function rowNamed(db: Database, id: string): Promise<QuarantinedRow> {
  const [row, another] = /^[0-9a-f-]{4,36}$/i.test(id) ? await findQuarantined(db, id) : []
  if (!row) {
    throw new InvalidInput(
      `no row in quarantine has an id that begins with ${id}; see: beacon quarantine list`,
    )
  }
  if (another) {
    throw new InvalidInput(
      `the ids of several rows begin with ${id}: write more of it, as in beacon quarantine list --json`,
    )
  }
  return row
}

export async function rowsNamed(db: Database, ids: readonly string[]): Promise<QuarantinedRow[]> {
  const rows = new Map<string, QuarantinedRow>()
  for (const id of ids) {
    const row = await rowNamed(db, id)
    rows.set(row.id, row)
  }
  return [...rows.values()]
}

/** Containers may have a uid without a name. */
export function accountName(): string {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`
  }
}
