import { eq, sql } from 'drizzle-orm'
import { expiringPartitions } from '../../../drizzle/schema/retention.ts'
import type { Instant } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { Ending } from '../../settings/schema.ts'
import { type Database, type WritableDatabase, withFaults } from '../transaction.ts'

/** A leaf with the bounds that the catalog had for it. */
export type Leaf = Readonly<{ table: string; name: string; range: Range }>

/** A leaf on its way out. */
export type ExpiringLeaf = Leaf & Readonly<{ ending: Ending }>

/** Where a leaf stands: `pending` where its detaching was interrupted, `detached` where it is a table of its own. */
export type Attachment = 'attached' | 'pending' | 'detached' | 'gone'

/** The leaves that were begun with and are not dropped, oldest first. */
export async function listExpiring(db: Database): Promise<ExpiringLeaf[]> {
  const rows = await withFaults(
    db.select().from(expiringPartitions).orderBy(expiringPartitions.holdsFrom, expiringPartitions.name),
  )
  return rows.map(({ name, parent, holdsFrom, holdsTo, ending }) => ({
    name,
    table: parent,
    range: { from: holdsFrom, to: holdsTo },
    ending,
  }))
}

/** Writes down that the leaf is about to be detached, so that whatever happens then is finished later. */
export async function beginExpiring(
  db: WritableDatabase,
  { name, table, range, ending }: ExpiringLeaf,
  now: Instant,
): Promise<void> {
  const row = { parent: table, holdsFrom: range.from, holdsTo: range.to, ending, beganAt: now }
  await db
    .insert(expiringPartitions)
    .values({ name, ...row })
    .onConflictDoUpdate({ target: expiringPartitions.name, set: row })
}

/** The leaf is dropped, or part of its table again. */
export async function forgetExpiring(db: WritableDatabase, { name }: Pick<Leaf, 'name'>): Promise<void> {
  await db.delete(expiringPartitions).where(eq(expiringPartitions.name, name))
}

export async function readAttachment(
  db: Database,
  { table, name }: Pick<Leaf, 'table' | 'name'>,
): Promise<Attachment> {
  const { rows } = await db.execute<{ parent: string | null; pending: boolean | null }>(sql`
    select parent.relname as parent, inhdetachpending as pending
    from pg_class as child
    left join pg_inherits on inhrelid = child.oid
    left join pg_class as parent on parent.oid = inhparent
    where child.relname = ${name} and child.relnamespace = 'public'::regnamespace`)
  const [found] = rows
  if (!found) return 'gone'
  if (found.parent !== table) return 'detached'
  return found.pending ? 'pending' : 'attached'
}
