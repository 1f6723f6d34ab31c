import { desc, gte, isNull, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { type AlertDetails, type Incident, incidents } from '../../drizzle/schema/monitoring.ts'
import { type Instant, toIso } from '../market/instant.ts'
import { fromMs } from './coverage/multirange.ts'
import { takeLocks } from './locks.ts'
import { type Database, inTransaction, type Transaction, withFaults } from './transaction.ts'

/** A condition to alert on; one open incident per key. */
export type Concern = Readonly<{ key: string; message: string; details?: AlertDetails }>

export type Changed = Readonly<{ opened: readonly Concern[]; resolved: readonly Concern[] }>

/**
 * Opens new incidents and resolves those gone, once for all processes. Changed ones get their new text; with
 * `toWebhook`, changes are queued for delivery. A key with `@` is seen by one process only and resolves after a minute
 * unseen.
 */
export async function reconcileIncidents(
  pool: Pool,
  concerns: readonly Concern[],
  now: Instant,
  toWebhook: boolean,
): Promise<Changed> {
  return inTransaction(pool, async (tx) => {
    // Overlapping runs would resolve each other's incidents.
    await takeLocks(tx.db, ['incidents'])
    const opened = await open(tx, concerns, now)
    const resolved = await resolve(tx, concerns, now)
    if (toWebhook) {
      await announce(tx, opened, 'opened', now)
      await announce(tx, resolved, 'resolved', now)
    }
    return { opened, resolved }
  })
}

const databaseNow = sql`(clock_timestamp() at time zone 'UTC')`

type IncidentRow = Concern & { id: string }

async function open({ db }: Transaction, concerns: readonly Concern[], now: Instant): Promise<IncidentRow[]> {
  const { rows } = await db.execute<IncidentRow>(sql`
    insert into incidents (key, message, details, opened_at)
    select key, message, details, ${toIso(now)}::timestamp
    from jsonb_to_recordset(${JSON.stringify(concerns)}::jsonb) as concern (key text, message text, details jsonb)
    on conflict (key) where resolved_at is null do nothing
    returning id, key, message`)
  await db.execute(sql`
    update incidents set message = concern.message, details = concern.details, seen_at = ${databaseNow}
    from jsonb_to_recordset(${JSON.stringify(concerns)}::jsonb) as concern (key text, message text, details jsonb)
    where incidents.key = concern.key and resolved_at is null`)
  return rows
}

const keysOf = (concerns: readonly Concern[]): string => JSON.stringify(concerns.map(({ key }) => key))

async function resolve(
  { db }: Transaction,
  concerns: readonly Concern[],
  now: Instant,
): Promise<IncidentRow[]> {
  const { rows } = await db.execute<IncidentRow>(sql`
    update incidents set resolved_at = greatest(opened_at, ${toIso(now)}::timestamp)
    where resolved_at is null and key not in (select jsonb_array_elements_text(${keysOf(concerns)}::jsonb))
      and (position('@' in key) = 0 or seen_at is null
        -- Or seen by a clock that was ahead.
        or seen_at not between ${databaseNow} - interval '1 minute' and ${databaseNow})
    returning id, key, message`)
  return rows
}

async function announce(
  { db }: Transaction,
  changed: readonly IncidentRow[],
  event: 'opened' | 'resolved',
  now: Instant,
): Promise<void> {
  for (const { id } of changed) {
    await db.execute(sql`
      insert into webhook_deliveries (incident_id, event, due_at) values (${id}::uuid, ${event}, ${toIso(now)}::timestamp)
      on conflict (incident_id, event) do nothing`)
  }
}

/** Oldest first. */
export const listOpenIncidents = (db: Database): Promise<Incident[]> =>
  withFaults(db.select().from(incidents).where(isNull(incidents.resolvedAt)).orderBy(incidents.openedAt))

/** Open incidents, newest first, then at most `most` resolved since then. */
export async function listIncidents(db: Database, since: Instant, most: number): Promise<Incident[]> {
  const resolved = db
    .select()
    .from(incidents)
    .where(gte(incidents.resolvedAt, since))
    .orderBy(desc(incidents.openedAt))
    .limit(most)
  return [...(await listOpenIncidents(db)).reverse(), ...(await withFaults(resolved))]
}

export async function forgetIncidents(db: Database, before: Instant): Promise<void> {
  await db.execute(sql`delete from incidents where resolved_at < ${toIso(before)}::timestamp`)
}

/** A notification for the webhook. */
export type Delivery = Readonly<{
  id: string
  event: 'opened' | 'resolved'
  attempts: number
  incident: Readonly<Concern & { id: string; openedAt: Instant; resolvedAt?: Instant }>
}>

type DeliveryRow = Readonly<{
  id: string
  event: 'opened' | 'resolved'
  attempts: number
  incident_id: string
  key: string
  message: string
  opened_ms: string
  resolved_ms: string | null
  details: AlertDetails | null
}>

/**
 * Locks the first due delivery while `deliver` sends it; released if the process dies. Returns whether there was one.
 */
export async function takeDelivery(
  pool: Pool,
  now: Instant,
  deliver: (delivery: Delivery) => Promise<Readonly<{ delivered: true } | { error: string; dueAt: Instant }>>,
): Promise<boolean> {
  return inTransaction(pool, async ({ db }) => {
    const { rows } = await db.execute<DeliveryRow>(sql`
      select delivery.id, event, attempts, incident_id, key, message, details,
        extract(epoch from opened_at) * 1000 as opened_ms, extract(epoch from resolved_at) * 1000 as resolved_ms
      from webhook_deliveries as delivery join incidents on incidents.id = incident_id
      where delivered_at is null and (due_at <= ${toIso(now)}::timestamp
        -- Put down by a clock that was ahead: nothing is put off for longer than an hour.
        or greatest(opened_at, resolved_at) > ${toIso(now)}::timestamp
        or due_at > ${toIso(now)}::timestamp + interval '1 hour')
      order by due_at, event limit 1 for update of delivery skip locked`)
    const [row] = rows
    if (!row) return false
    const { resolved_ms } = row
    const reported = await deliver({
      id: row.id,
      event: row.event,
      attempts: row.attempts,
      incident: {
        id: row.incident_id,
        key: row.key,
        message: row.message,
        ...(row.details === null ? {} : { details: row.details }),
        openedAt: fromMs(row.opened_ms),
        ...(resolved_ms === null ? {} : { resolvedAt: fromMs(resolved_ms) }),
      },
    })
    await ('delivered' in reported
      ? db.execute(sql`
          update webhook_deliveries set attempts = attempts + 1, delivered_at = ${toIso(now)}::timestamp, error = null
          where id = ${row.id}::uuid`)
      : db.execute(sql`
          update webhook_deliveries set attempts = attempts + 1, due_at = ${toIso(reported.dueAt)}::timestamp, error = ${reported.error}
          where id = ${row.id}::uuid`))
    return true
  })
}
