import { and, desc, eq, gte, lt, sql } from 'drizzle-orm'
import { ohlcvData } from '../../drizzle/schema/market-data.ts'
import type { AlignedCandle, RejectedRow } from '../market/candle.ts'
import { type Instant, later, plus } from '../market/instant.ts'
import { type AlignedRange, intersect, type Range } from '../market/range.ts'
import { type AlignedInstant, type Timeframe, timeframeMs, toAligned } from '../market/timeframe.ts'
import { inSpan } from '../runtime/trace.ts'
import type { CandleRows } from './candles/candle-rows.ts'
import type { IncomingCandles } from './candles/compare-candles.ts'
import { type Written, writeCandles } from './candles/write-candles.ts'
import { type Findings, lockSeries, type Series, type SeriesFindings, writeCoverages } from './coverage.ts'
import { findingsOf } from './figures/findings.ts'
import type { BoundedPartition } from './partitions/catalog.ts'
import { sortRejections } from './quarantine/stored-rejections.ts'
import { quarantine } from './quarantine.ts'
import { type Database, type Transaction, withFaults } from './transaction.ts'

/** A checked answer, encoded for COPY, since it may wait for others before it is written. */
export type CandleBatch = Readonly<{
  series: Series
  /** The market's symbol on its source. */
  symbol: string
  /** The range that the answer covers. */
  answered: AlignedRange
  rows: CandleRows
  rejected: readonly RejectedRow[]
  /** Candles that open before this and are not in the answer do not exist at the source. */
  absentBefore: AlignedInstant
  /** Candles that open before this are final once seen unchanged; by default all. */
  finalBefore?: Instant
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
 * Writes answers with their revisions, quarantined rows and coverage. Idempotent. The partitions must exist; those in
 * `partitions` may be written directly. Returns the accounting of each batch.
 */
export async function loadBatches(
  tx: Transaction,
  batches: readonly CandleBatch[],
  partitions: readonly BoundedPartition[] = [],
): Promise<Accounting[]> {
  await lockSeries(
    tx.db,
    batches.map(({ series }) => series),
  )
  await vouchForCoins(tx.db, [...new Set(batches.map(({ series }) => series.coinId))])
  const accountings = new Map<CandleBatch, Accounting>()
  for (const round of roundsOf(batches)) {
    const written = await writeRound(tx, round.batches, round.timeframe, partitions)
    for (const [place, batch] of round.batches.entries())
      accountings.set(batch, written[place] ?? nothingReceived)
  }
  return batches.map((batch) => accountings.get(batch) ?? nothingReceived)
}

/** Batches that do not overlap and can be written together. */
type Round = Readonly<{ timeframe: Timeframe; batches: readonly CandleBatch[] }>

/** Puts each batch into the first round after all that conflict with it, sorted like the index. */
function roundsOf(batches: readonly CandleBatch[]): Round[] {
  const rounds: CandleBatch[][] = []
  const turns = new Map<CandleBatch, number>()
  const rivals = new Map<string, CandleBatch[]>()
  const last = new Map<Timeframe, number>()
  for (const batch of batches) {
    const { coinId, timeframe } = batch.series
    // There may be hundreds of batches: compare only those of the same series.
    const ofSeries = rivals.get(`${coinId} ${timeframe}`) ?? []
    const inTheWay = ofSeries.filter(({ answered }) => intersect(answered, batch.answered) !== undefined)
    const others = [...last].filter(([other]) => other !== timeframe).map(([, turn]) => turn)
    const turn = 1 + Math.max(-1, ...others, ...inTheWay.map((rival) => turns.get(rival) ?? -1))
    turns.set(batch, turn)
    ofSeries.push(batch)
    rivals.set(`${coinId} ${timeframe}`, ofSeries)
    last.set(timeframe, Math.max(turn, last.get(timeframe) ?? -1))
    const round = rounds[turn]
    if (round) round.push(batch)
    else rounds.push([batch])
  }
  return rounds.flatMap((round) =>
    round[0] ? [{ timeframe: round[0].series.timeframe, batches: round.toSorted(byKey) }] : [],
  )
}

const byKey = (a: CandleBatch, b: CandleBatch): number =>
  a.series.coinId === b.series.coinId
    ? a.answered.from - b.answered.from
    : a.series.coinId < b.series.coinId
      ? -1
      : 1
/** Writes one round: candles, revisions, quarantine, then coverage. */
async function writeRound(
  tx: Transaction,
  batches: readonly CandleBatch[],
  timeframe: Timeframe,
  partitions: readonly BoundedPartition[],
): Promise<Accounting[]> {
  const written = await writeCandles(tx, timeframe, batches.map(incomingOf), partitions)
  const sorted = await sortRejections(
    tx.db,
    timeframe,
    batches.map(({ series: { coinId }, rejected }) => ({ coinId, rejected })),
  )
  const accountings: Accounting[] = []
  const findings: SeriesFindings[] = []
  for (const [place, batch] of batches.entries()) {
    const { added, revised, unchanged } = written[place] ?? nothingWritten
    const { known, rejected } = sorted[place] ?? { known: [], rejected: batch.rejected }
    await quarantineRejected(tx.db, { ...batch, rejected })
    const openTimes = merged(batch.rows.openTimes, known)
    findings.push({
      series: batch.series,
      findings: findingsOf({ ...batch, rejected, openTimes, timeframe, revised }),
    })
    const quarantined = rejected.length
    const counts = { added, revised: revised.length, unchanged: unchanged + known.length, quarantined }
    accountings.push(balanced(batch, counts))
  }
  const found = bySeries(findings)
  await inSpan('coverage', { attributes: { 'beacon.series': found.length } }, () =>
    writeCoverages(tx.db, found, batches.map(({ now }) => now).reduce(later)),
  )
  return accountings
}

const merged = (a: readonly AlignedInstant[], b: readonly AlignedInstant[]): readonly AlignedInstant[] =>
  b.length === 0 ? a : [...a, ...b].sort((one, other) => one - other)

const nothingWritten: Written = { added: 0, revised: [], unchanged: 0 }

function incomingOf({ series, rows, answered, runId, now }: CandleBatch): IncomingCandles {
  const from = rows.openTimes[0] ?? answered.from
  const last = rows.openTimes.at(-1)
  const to = last === undefined ? from : plus(last, timeframeMs[series.timeframe])
  return { series, rows, span: { from, to }, runId, now }
}

async function quarantineRejected(db: Database, batch: CandleBatch): Promise<void> {
  const { series, symbol, rejected, runId, now } = batch
  const { source, coinId, timeframe } = series
  await quarantine(db, { source, market: symbol, coinId, timeframe, runId, now }, rejected)
}

/** Merges the findings of several pages of one series. */
function bySeries(pages: readonly SeriesFindings[]): SeriesFindings[] {
  const joined = new Map<string, SeriesFindings>()
  for (const { series, findings } of pages) {
    const key = `${series.coinId} ${series.timeframe} ${series.source}`
    const before = joined.get(key)?.findings
    joined.set(key, { series, findings: before ? joinFindings(before, findings) : findings })
  }
  return [...joined.values()]
}

const joinFindings = (a: Findings, b: Findings): Findings => ({
  stored: [...a.stored, ...b.stored],
  refused: [...a.refused, ...b.refused],
  'no-trades': [...a['no-trades'], ...b['no-trades']],
  provisional: [...(a.provisional ?? []), ...(b.provisional ?? [])],
})

/**
 * Locks the coins once, as the foreign key's trigger does per row, and disables the trigger: it is over half the cost
 * of a load. It stays enabled if the role lacks the right or a coin does not exist.
 */
async function vouchForCoins(db: Database, coinIds: readonly string[]): Promise<void> {
  await db.execute(sql`
    with coin as materialized (select from coins where id = any(${sql.param(coinIds)}::text[]) order by id for key share)
    select set_config(
      'session_replication_role',
      case when (select count(*) from coin) = ${coinIds.length}::integer then 'replica' else 'origin' end, true
    )
    where has_parameter_privilege('session_replication_role', 'set')`)
}

function balanced(
  { rows: { openTimes }, rejected }: CandleBatch,
  { added, ...counts }: Omit<Accounting, 'received' | 'new'> & Readonly<{ added: number }>,
): Accounting {
  const { revised, unchanged, quarantined } = counts
  const accounting = { received: openTimes.length + rejected.length, new: added, ...counts }
  if (accounting.received !== added + revised + unchanged + quarantined)
    throw new Error(`the accounting does not balance: ${JSON.stringify(accounting)}`)
  return accounting
}

/** The newest candles of a coin in the range, at most `most`, ascending. */
export async function readCandles(
  db: Database,
  { coinId, timeframe }: Omit<Series, 'source'>,
  { from, to }: Range,
  most: number,
): Promise<AlignedCandle[]> {
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
      openTime: toAligned(timeframe, openTime),
      open,
      high,
      low,
      close,
      volume,
    }))
    .reverse()
}
