import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import type { Database } from '../transaction.ts'

/** A counter summed over all processes. */
export type FleetCount = Readonly<{
  name: string
  labels: Readonly<Record<string, string>>
  value: number
}>

/** Adds increments; each name and labels once. */
export async function addToFleetCounters(
  db: Database,
  increments: readonly FleetCount[],
  now: Instant,
): Promise<void> {
  if (increments.length === 0) return
  // One order for all processes avoids deadlocks.
  await db.execute(sql`
    insert into fleet_counters (name, labels, value, updated_at)
    select name, labels, value, ${toIso(now)}::timestamp
    from jsonb_to_recordset(${JSON.stringify(increments)}::jsonb)
      as counted (name text, labels jsonb, value double precision)
    order by name, labels
    on conflict (name, labels) do update
      set value = fleet_counters.value + excluded.value, updated_at = excluded.updated_at`)
}

export async function readFleetCounters(db: Database): Promise<FleetCount[]> {
  const { rows } = await db.execute<FleetCount>(
    sql`select name, labels, value from fleet_counters order by name, labels`,
  )
  return rows
}
