import { sql } from 'drizzle-orm'
import { earlier, later, toIso } from '../../market/instant.ts'
import { type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { recordMaintenance } from '../maintenance-audit.ts'
import { askedByCommand } from '../runs/provenance.ts'
import type { Database, Transaction } from '../transaction.ts'
import { textField, timestampField, uuidField } from './binary-copy.ts'
import { candleColumns, keyOf, rowsBetween, valuesOf } from './candle-rows.ts'
import {
  type ChangedCandle,
  countOf,
  type IncomingCandles,
  type Run,
  type RunsOf,
} from './compare-candles.ts'
import { copyRowsInto } from './copy.ts'

export type ChangedCandles = Readonly<{ incoming: IncomingCandles; changed: readonly ChangedCandle[] }>

/** Long runs of changed candles are deleted and copied, which costs half of an update; scattered ones are updated. */
export type ChangePlan = Readonly<{ longRuns: readonly RunsOf[]; scattered: readonly RunsOf[] }>

const shortestLongRun = 32

/** A role that may not delete updates all of them. */
export async function planChanges(db: Database, candles: readonly ChangedCandles[]): Promise<ChangePlan> {
  const all = candles.map(({ incoming, changed }) => ({ incoming, runs: runsOf(incoming, changed) }))
  const isLong = ({ from, to }: Run) => to - from >= shortestLongRun
  const mayDelete = all.some(({ runs }) => runs.some(isLong)) && (await mayDeleteCandles(db))
  const pick = (wanted: boolean) =>
    all.map(({ incoming, runs }) => ({
      incoming,
      runs: runs.filter((run) => (mayDelete && isLong(run)) === wanted),
    }))
  return { longRuns: pick(true), scattered: pick(false) }
}

async function mayDeleteCandles(db: Database): Promise<boolean> {
  const { rows } = await db.execute<{ may: boolean }>(
    sql`select has_table_privilege('ohlcv_data', 'delete') as may`,
  )
  return rows[0]?.may === true
}

/** Runs of consecutive changed candles. */
function runsOf(
  { rows: { openTimes }, series: { timeframe } }: IncomingCandles,
  changed: readonly ChangedCandle[],
): Run[] {
  const runs: { from: number; to: number }[] = []
  const openTimeOf = (index: number) => openTimes[index] ?? Number.NaN
  for (const { index } of changed) {
    const last = runs.at(-1)
    const follows = last?.to === index && openTimeOf(index) - openTimeOf(index - 1) === timeframeMs[timeframe]
    if (last && follows) last.to = index + 1
    else runs.push({ from: index, to: index + 1 })
  }
  return runs
}

export async function takeOut(
  db: Database,
  timeframe: Timeframe,
  longRuns: readonly RunsOf[],
): Promise<void> {
  for (const { incoming, runs } of longRuns) {
    const { rows, series } = incoming
    for (const { from, to } of runs) {
      const [first, last] = [rows.openTimes[from], rows.openTimes[to - 1]]
      if (first === undefined || last === undefined)
        throw new RangeError('a range reaches beyond its candles')
      const { rowCount } = await db.execute(sql`
        delete from ohlcv_data
        where coin_id = ${series.coinId} and timeframe = ${timeframe}
          and timestamp between ${toIso(first)}::timestamp and ${toIso(last)}::timestamp`)
      refuseOtherCount(rowCount, to - from)
    }
  }
}

export async function updateCandles(
  tx: Transaction,
  timeframe: Timeframe,
  candles: readonly RunsOf[],
): Promise<void> {
  if (countOf(candles) === 0) return
  // The temporary table lives as long as the connection, which keeps the catalog free of dead rows. Behind a pooler the
  // next client sees it: change its name when its columns change.
  await tx.db.execute(sql`
    create temporary table if not exists incoming_ohlcv_data (
      coin_id varchar(50), timeframe varchar(10), timestamp timestamp,
      open decimal(24, 8), high decimal(24, 8), low decimal(24, 8), close decimal(24, 8), volume decimal(32, 8)
    ) on commit delete rows`)
  // An earlier load in the same transaction may have left rows.
  await tx.db.execute(sql`delete from incoming_ohlcv_data`)
  const rows = candles.flatMap(({ incoming, runs }) =>
    runs.map(({ from, to }) => rowsBetween(incoming.rows, from, to)),
  )
  await copyRowsInto(tx, 'incoming_ohlcv_data', candleColumns, rows)
  const openTimes = candles.flatMap(({ incoming, runs }) =>
    runs.flatMap(({ from, to }) => [from, to - 1].flatMap((index) => incoming.rows.openTimes[index] ?? [])),
  )
  // The bounds let the planner prune partitions.
  const { rowCount } = await tx.db.execute(sql`
    update ohlcv_data
    set (open, high, low, close, volume) = (incoming.open, incoming.high, incoming.low, incoming.close, incoming.volume)
    from incoming_ohlcv_data as incoming
    where ohlcv_data.coin_id = incoming.coin_id and ohlcv_data.timeframe = ${timeframe}
      and ohlcv_data.timestamp = incoming.timestamp
      and ohlcv_data.timestamp between ${toIso(openTimes.reduce(earlier))}::timestamp
        and ${toIso(openTimes.reduce(later))}::timestamp`)
  refuseOtherCount(rowCount, countOf(candles))
}

function refuseOtherCount(written: number | null, wanted: number): void {
  if (written !== wanted)
    throw new Error(`${written} of ${wanted} changed candles were there: another program writes them too`)
}

const revisionColumns = [
  ...candleColumns.slice(0, 3),
  ...candleColumns.slice(3).map((name) => `old_${name}`),
  ...candleColumns.slice(3).map((name) => `new_${name}`),
  'revised_at',
  'source',
  'run_id',
]

/** Keeps the replaced values in candle_revisions. */
export async function keepRevisions(tx: Transaction, candles: readonly ChangedCandles[]): Promise<void> {
  await copyRowsInto(tx, 'candle_revisions', revisionColumns, revisionRows(candles))
  await recordReplacements(tx.db, candles)
}

/** Replacements by a command also go into the audit log; those of a job have its run. */
async function recordReplacements(db: Database, candles: readonly ChangedCandles[]): Promise<void> {
  const replaced = candles.filter(({ changed }) => changed.length > 0)
  const runIds = [...new Set(replaced.map(({ incoming }) => incoming.runId))]
  const { rows: runs } = await db.execute<{ id: string; job: string }>(sql`
    select id, job from ingest_runs
    where id in (select jsonb_array_elements_text(${JSON.stringify(runIds)}::jsonb)::uuid) and job in ${askedByCommand}`)
  for (const { incoming, changed } of replaced) {
    const run = runs.find(({ id }) => id === incoming.runId)
    if (!run) continue
    const { coinId, timeframe, source } = incoming.series
    const details = { rows: changed.length, source, run: run.id, why: run.job }
    const entity = `${coinId} ${timeframe}`
    await recordMaintenance(db, { operation: 'REPLACE', table: 'ohlcv_data', entity, details })
  }
}

function* revisionRows(candles: readonly ChangedCandles[]): Generator<Buffer> {
  const fieldCount = Buffer.from([0, revisionColumns.length])
  for (const { incoming, changed } of candles) {
    const { rows, series, now, runId } = incoming
    const circumstances = Buffer.concat([timestampField(now), textField(series.source), uuidField(runId)])
    for (const { index, before } of changed) {
      yield fieldCount
      yield keyOf(rows, index)
      yield before
      yield valuesOf(rows, index)
      yield circumstances
    }
  }
}
