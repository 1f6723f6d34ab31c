import { and, desc, eq, gte, lt, sql } from 'drizzle-orm'
import { ohlcvData } from '../../drizzle/schema/market-data.ts'
import type { Candle } from '../market/candle.ts'
import type { CheckedCandles } from '../market/candle-check.ts'
import { type Instant, toIso } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { copyInto } from './copy.ts'
import { type Series, writeCoverage } from './coverage.ts'
import { findingsOf } from './findings.ts'
import { quarantine } from './quarantine.ts'
import { type Database, type Transaction, withFaults } from './transaction.ts'

/** One answer, checked and ready to be written. */
export type CandleBatch = Readonly<{
  series: Series
  /** The market's name on its source. */
  symbol: string
  /** What the answer speaks for. */
  answered: Range
  checked: CheckedCandles
  /** Open times before this have settled: without a candle in the answer, there is none. */
  settledBefore: Instant
  now: Instant
  runId: string
}>

/** received = new + revised + unchanged + quarantined, for every batch. */
export type Accounting = Readonly<{
  received: number
  new: number
  revised: number
  unchanged: number
  quarantined: number
}>

export const nothingReceived: Accounting = { received: 0, new: 0, revised: 0, unchanged: 0, quarantined: 0 }

export const addAccounting = (a: Accounting, b: Accounting): Accounting => ({
  received: a.received + b.received,
  new: a.new + b.new,
  revised: a.revised + b.revised,
  unchanged: a.unchanged + b.unchanged,
  quarantined: a.quarantined + b.quarantined,
})

/**
 * Writes one answer: its candles, the values they replaced, the rows that were not believed, and the coverage of all
 * of it. Loading the same answer again changes nothing. The partitions must be there.
 */
export async function loadCandles(tx: Transaction, batch: CandleBatch): Promise<Accounting> {
  const { series, checked } = batch
  await lockSeries(tx.db, series)
  await vouchForCoin(tx.db, series.coinId)
  const merged =
    checked.candles.length > 0 ? await mergeCandles(tx, batch) : { new: 0, revised: 0, unchanged: 0 }
  await quarantine(
    tx.db,
    {
      source: series.source,
      market: batch.symbol,
      coinId: series.coinId,
      timeframe: series.timeframe,
      runId: batch.runId,
      now: batch.now,
    },
    checked.rejected,
  )
  await writeCoverage(tx.db, series, findingsOf({ ...batch, timeframe: series.timeframe }), batch.now)
  const quarantined = checked.rejected.length
  return balanced({ received: checked.candles.length + quarantined, ...merged, quarantined })
}

/** Writers of one series take turns, so that what is counted as new is new. */
async function lockSeries(db: Database, { coinId, timeframe }: Series): Promise<void> {
  await db.execute(
    sql`select pg_advisory_xact_lock(hashtextextended(${`beacon:series:${coinId}:${timeframe}`}, 0))`,
  )
}

/**
 * Checks the coin once and holds it, as the foreign key's trigger does row by row, and then lets the trigger rest: it is
 * more than half of the cost of a load. Where the role may not, or there is no such coin, the trigger does its work.
 */
async function vouchForCoin(db: Database, coinId: string): Promise<void> {
  await db.execute(sql`
    with coin as materialized (select from coins where id = ${coinId} for key share)
    select set_config('session_replication_role', case when exists (select from coin) then 'replica' else 'origin' end, true)
    where has_parameter_privilege('session_replication_role', 'set')`)
}

const incomingColumns = ['timestamp', 'open', 'high', 'low', 'close', 'volume'] as const

const candleLine = ({ openTime, open, high, low, close, volume }: Candle): string =>
  `${toIso(openTime)}\t${open}\t${high}\t${low}\t${close}\t${volume}`

async function mergeCandles(
  tx: Transaction,
  { series, checked, runId, now }: CandleBatch,
): Promise<Omit<Accounting, 'received' | 'quarantined'>> {
  const { candles } = checked
  // The table lives as long as the connection: one made for each batch would fill the catalog with dead rows.
  // Behind a pooler the next client finds it there: with other columns it needs another name.
  await tx.db.execute(sql`
    create temporary table if not exists incoming_candles (
      timestamp timestamp, open decimal(24, 8), high decimal(24, 8), low decimal(24, 8), close decimal(24, 8), volume decimal(32, 8)
    ) on commit delete rows`)
  // An earlier batch of the same transaction has left its rows there.
  await tx.db.execute(sql`delete from incoming_candles`)
  const copied = await copyInto(tx, 'incoming_candles', incomingColumns, candles.map(candleLine))
  if (copied !== candles.length) throw new Error(`COPY took ${copied} of ${candles.length} candles`)
  const first = candles[0]?.openTime ?? now
  const last = candles.at(-1)?.openTime ?? now
  // The bounds let the planner leave out every partition but the batch's own.
  const stored = sql`
    ohlcv_data.coin_id = ${series.coinId} and ohlcv_data.timeframe = ${series.timeframe}
    and ohlcv_data.timestamp between ${toIso(first)}::timestamp and ${toIso(last)}::timestamp`
  const values = sql.raw('open, high, low, close, volume')
  const isChanged = (before: string, after: string) =>
    sql.raw(`(${valuesOf(before)}) is distinct from (${valuesOf(after)})`)
  const { rows } = await tx.db.execute<{ existing: string; revised: string; written: string }>(sql`
    with existing as materialized (
      select ohlcv_data.timestamp, ${isChanged('ohlcv_data', 'incoming')} as is_changed,
        ${sql.raw(valuesOf('ohlcv_data', 'old_'))}, ${sql.raw(valuesOf('incoming', 'new_'))}
      from incoming_candles as incoming join ohlcv_data using (timestamp)
      where ${stored}
    ), revisions as (
      insert into candle_revisions (coin_id, timeframe, timestamp, revised_at, source, run_id,
        old_open, old_high, old_low, old_close, old_volume, new_open, new_high, new_low, new_close, new_volume)
      select ${series.coinId}, ${series.timeframe}, timestamp, ${toIso(now)}::timestamp, ${series.source}, ${runId}::uuid,
        old_open, old_high, old_low, old_close, old_volume, new_open, new_high, new_low, new_close, new_volume
      from existing where is_changed
    ), written as (
      insert into ohlcv_data (coin_id, timeframe, timestamp, ${values})
      select ${series.coinId}, ${series.timeframe}, timestamp, ${values} from incoming_candles order by timestamp
      on conflict (coin_id, timeframe, timestamp) do update
        set (open, high, low, close, volume) = (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
        where ${isChanged('ohlcv_data', 'excluded')}
      returning timestamp
    )
    select (select count(*) from existing) as existing, (select count(*) from existing where is_changed) as revised,
      (select count(*) from written) as written`)
  const existing = Number(rows[0]?.existing)
  const revised = Number(rows[0]?.revised)
  return { new: Number(rows[0]?.written) - revised, revised, unchanged: existing - revised }
}

const valuesOf = (table: string, prefix?: string): string =>
  ['open', 'high', 'low', 'close', 'volume']
    .map((name) => `${table}.${name}${prefix === undefined ? '' : ` as ${prefix}${name}`}`)
    .join(', ')

function balanced(accounting: Accounting): Accounting {
  const { received, new: added, revised, unchanged, quarantined } = accounting
  if (received !== added + revised + unchanged + quarantined) {
    throw new Error(`the accounting does not balance: ${JSON.stringify(accounting)}`)
  }
  return accounting
}

/** The newest candles of a coin inside the range, at most so many, ascending. */
export async function readCandles(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
  { from, to }: Range,
  most: number,
): Promise<Candle[]> {
  const { timestamp } = ohlcvData
  const newest = db
    .select()
    .from(ohlcvData)
    .where(
      and(
        eq(ohlcvData.coinId, coinId),
        eq(ohlcvData.timeframe, timeframe),
        gte(timestamp, from),
        lt(timestamp, to),
      ),
    )
    .orderBy(desc(timestamp))
    .limit(most)
  const rows = await withFaults(newest)
  return rows
    .map(({ timestamp: openTime, open, high, low, close, volume }) => ({
      openTime,
      open,
      high,
      low,
      close,
      volume,
    }))
    .reverse()
}
