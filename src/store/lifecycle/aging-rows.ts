import { type SQL, sql } from 'drizzle-orm'
import { day, type Instant, plus, toIso } from '../../market/instant.ts'
import type { PartitionLength } from '../../settings/schema.ts'
import type { Settings } from '../../settings.ts'
import { askedByCommand } from '../runs/provenance.ts'

export type AgingRows = Readonly<{ table: string; by: string }>

export type Aging = AgingRows & Readonly<{ keepMs: number; now: Instant; timeframes: Settings['timeframes'] }>

export const limitOf = ({ now, keepMs }: Aging): Instant => plus(now, -keepMs)

/** Rows `aging` that are old enough, unreferenced and not restored from the archive. */
export function mayLeave(aging: Aging): SQL {
  const { table, by, now } = aging
  const time = sql`aging.${sql.identifier(by)}`
  const reasons = [
    sql`${time} >= ${toIso(limitOf(aging))}::timestamp`,
    sql`exists (
      select from archives
      where table_name = ${table} and partition_name is null and state = 'restored'
        and restored_until > ${toIso(now)}::timestamp and ${time} >= range_from and ${time} < range_to
    )`,
    ...(reasonsToStay[table]?.(aging) ?? []),
  ]
  return sql`not coalesce(${sql.join(reasons, sql` or `)}, false)`
}

/** Rows that others refer to are kept. */
const reasonsToStay: Readonly<Record<string, (aging: Aging) => readonly SQL[]>> = {
  // `gaps` and `certificate` show it as the cause.
  quarantined_rows: () => [sql`(aging.resolution is null and aging.timeframe is not null)`],
  ingest_runs: (aging) => [
    sql`exists (select from candle_revisions where run_id = aging.id)`,
    sql`exists (select from quarantined_rows where run_id = aging.id and resolution is null and timeframe is not null)`,
    sql`(aging.outcome @? '$ ? (@.new > 0 || @.revised > 0)' and (${explainsRange} or ${explainsCloses(aging)}))`,
  ],
}

/** A run that loaded a range with stored candles. */
const explainsRange = sql`(
  aging.job in ${['backfill-candles', ...askedByCommand]}
  and case when aging.payload ->> 'from' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T' and aging.payload ->> 'to' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T'
    then exists (
      select from candle_coverage
      where coin_id = aging.payload ->> 'coinId' and timeframe = aging.payload ->> 'timeframe' and state = 'stored'
        and ranges && tsmultirange(tsrange((aging.payload ->> 'from')::timestamp, (aging.payload ->> 'to')::timestamp))
    ) end
)`

const longestMs: Readonly<Record<PartitionLength, number>> = { day, month: 31 * day, year: 366 * day }

/** A run that loaded newest candles; these are deleted with their partition. */
function explainsCloses({ now, timeframes }: Aging): SQL {
  const limits = Object.entries(timeframes).map(([timeframe, { keep, partition }]) => ({
    timeframe,
    since: keep === undefined ? '-infinity' : toIso(plus(now, -keep - longestMs[partition])),
  }))
  return sql`(aging.job = 'ingest-candles' and exists (
    select from jsonb_to_recordset(${JSON.stringify(limits)}::jsonb) as kept (timeframe text, since timestamp)
    where kept.timeframe = aging.payload ->> 'timeframe' and aging.started_at >= kept.since
  ))`
}

/** Audit rows `aging` of records that maintenance deleted. Those of records deleted otherwise are kept. */
export const isOfRecordsGone = (table: string): SQL => sql`
  aging.table_name = ${table} and aging.record_id is not null
  and not exists (select from ${sql.identifier(table)} as record where record.id = aging.record_id)
  and not exists (
    select from audit_logs as deletion
    where deletion.table_name = aging.table_name and deletion.record_id = aging.record_id and deletion.operation = 'DELETE'
  )`
