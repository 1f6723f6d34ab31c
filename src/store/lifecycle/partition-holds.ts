import { getTableColumns, sql } from 'drizzle-orm'
import { type PartitionHold, partitionHolds } from '../../../drizzle/schema/retention.ts'
import { Fault } from '../../fault.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { CatalogPartition } from '../partitions/catalog.ts'
import { type Database, type WritableDatabase, withFaults } from '../transaction.ts'

export type HoldKind = PartitionHold['kind']

/** Why an expired partition cannot be deleted. */
export type Hold = Readonly<{
  kind: HoldKind
  /** Completes a message that begins with the partition's name. */
  reason: string
  /** A statement or command; undefined if waiting helps. */
  remedy: string | undefined
}>

/** One partition cannot be deleted now. Nothing was changed. */
export class PartitionHeld extends Fault {
  readonly code = 'PARTITION_HELD'
  readonly remedy = 'give-up'
  readonly hold: Hold

  constructor(kind: HoldKind, reason: string, remedy?: string, options?: ErrorOptions) {
    super(remedy === undefined ? reason : `${reason}: ${remedy}`, options)
    this.hold = { kind, reason, remedy }
  }
}

export const holdText = ({ reason, remedy }: Pick<Hold, 'reason' | 'remedy'>): string =>
  remedy === undefined ? reason : `${reason}: ${remedy}`

export type HeldPartition = Pick<CatalogPartition, 'schema' | 'table' | 'name' | 'qualifiedName'> &
  Readonly<{ range: Range | undefined; hold: Hold }>

/** A hold of the last run. */
export type RecordedHold = HeldPartition & Readonly<{ heldSince: Instant; checkedAt: Instant }>

export async function listHolds(db: Database): Promise<RecordedHold[]> {
  const rows = await withFaults(
    db
      .select({
        ...getTableColumns(partitionHolds),
        qualifiedName: sql<string>`format('%I.%I', schema_name, name)`,
      })
      .from(partitionHolds)
      .orderBy(partitionHolds.parent, partitionHolds.holdsFrom),
  )
  return rows.map((row) => ({
    schema: row.schemaName,
    table: row.parent,
    name: row.name,
    qualifiedName: row.qualifiedName,
    range:
      row.holdsFrom === null || row.holdsTo === null ? undefined : { from: row.holdsFrom, to: row.holdsTo },
    hold: { kind: row.kind, reason: row.reason, remedy: row.remedy ?? undefined },
    heldSince: row.heldSince,
    checkedAt: row.checkedAt,
  }))
}

/** Replaces the recorded holds; `heldSince` stays for those that continue. */
export async function recordHolds(
  db: WritableDatabase,
  held: readonly HeldPartition[],
  now: Instant,
): Promise<void> {
  const rows = held.map(({ schema, table, name, range, hold }) => ({
    schema_name: schema,
    name,
    parent: table,
    holds_from: range === undefined ? null : toIso(range.from),
    holds_to: range === undefined ? null : toIso(range.to),
    kind: hold.kind,
    reason: hold.reason,
    remedy: hold.remedy ?? null,
  }))
  const incoming = sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as held (
    schema_name text, name text, parent text, holds_from timestamp, holds_to timestamp, kind text, reason text, remedy text)`
  await db.execute(sql`
    delete from partition_holds as old
    where not exists (select from ${incoming} where held.schema_name = old.schema_name and held.name = old.name)`)
  await db.execute(sql`
    insert into partition_holds (schema_name, name, parent, holds_from, holds_to, kind, reason, remedy, held_since, checked_at)
    select held.*, ${toIso(now)}::timestamp, ${toIso(now)}::timestamp from ${incoming}
    on conflict (schema_name, name) do update set (parent, holds_from, holds_to, kind, reason, remedy, held_since, checked_at) = (
      excluded.parent, excluded.holds_from, excluded.holds_to, excluded.kind, excluded.reason, excluded.remedy,
      least(partition_holds.held_since, excluded.held_since), excluded.checked_at)`)
}
