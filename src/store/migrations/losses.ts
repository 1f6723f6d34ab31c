import type { Client } from 'pg'
import { Misconfigured } from '../../fault.ts'
import type { Migration } from './files.ts'

/** Data that reverting a migration would lose for good. */
type Loss = Readonly<{ migration: string; query: string; message(count: number): string }>

const losses: readonly Loss[] = [
  {
    migration: '0013_archives',
    query: `select count(*)::integer as count from archives where state in ('verified', 'dropped', 'restored')`,
    message: (count) =>
      `the manifest of the archive records ${count} ${count === 1 ? 'file' : 'files'}, whose rows would be out of reach without it`,
  },
]

/** Throws Misconfigured before anything is reverted that would lose such data. */
export async function refuseLosses(client: Client, undone: readonly Migration[]): Promise<void> {
  for (const { migration, query, message } of losses) {
    if (!undone.some(({ name }) => name === migration)) continue
    const { rows } = await client.query<{ count: number }>(query)
    const count = rows[0]?.count ?? 0
    if (count > 0) {
      throw new Misconfigured(
        `${migration} is not undone: ${message(count)}. Restore them first (beacon archive restore), or keep the files and empty the manifest (delete from archives); beacon archive adopt rebuilds it`,
      )
    }
  }
}
