import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { InvalidInput } from '../../fault.ts'
import { earlier, type Instant, toMinuteText } from '../../market/instant.ts'
import { type AlignedRange, alignTo, candleCount, isEmpty, type Range, union } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import type { AnySourceId } from '../../settings/source-ids.ts'
import type { Settings } from '../../settings.ts'
import { candlesPerPage } from '../../sources/source.ts'
import { type CandleDigest, digestCandles } from '../../store/candles/candle-digest.ts'
import { countRevisions } from '../../store/candles/revisions.ts'
import type { Coin } from '../../store/coins.ts'
import { readUnresolvedOf } from '../../store/coverage/series.ts'
import { type CoverageRange, readCoverage, type Series } from '../../store/coverage.ts'
import { type RunBehind, readRunsBehind } from '../../store/runs/provenance.ts'
import { inTransaction, type Transaction } from '../../store/transaction.ts'
import type { GapCause } from '../gaps/causes.ts'
import { findGaps, type Gap } from '../gaps.ts'
import { finalClose } from '../kept-history.ts'
import { type CandleMarket, requireCandleMarket } from '../markets.ts'

/** `ranges`: only the first ones. */
type Provenance = Readonly<{
  source: AnySourceId
  candles: number
  rangeCount: number
  ranges: readonly AlignedRange[]
}>

/** expected = stored + absent + refused + missing. */
export type Certificate = CandleDigest &
  Readonly<{
    coinId: string
    timeframe: Timeframe
    /** Aligned, closed candles only. */
    range: AlignedRange
    expected: number
    /** False if coverage and table disagree. */
    balances: boolean
    absent: Readonly<Partial<Record<GapCause, number>>>
    refused: number
    missing: number
    /** Not confirmed after their close. */
    provisional: number
    /** Revised candles, and revisions. */
    revised: number
    revisions: number
    sources: readonly Provenance[]
    runs: readonly RunBehind[]
    runCount: number
  }>

export type CertificateRequest = Readonly<{ coin: Coin; timeframe: Timeframe; range: Range }>

/** Limit on listed ranges and runs. */
const named = 100

/** A load between two reads can unbalance a certificate. */
const attempts = 3

/** Throws InvalidInput. */
export async function certify(
  pool: Pool,
  settings: Settings,
  request: CertificateRequest,
  now: Instant,
): Promise<Certificate> {
  let certificate = await readOnce(pool, settings, request, now)
  for (let attempt = 1; attempt < attempts && !certificate.balances; attempt += 1)
    certificate = await readOnce(pool, settings, request, now)
  return certificate
}

async function readOnce(
  pool: Pool,
  settings: Settings,
  request: CertificateRequest,
  now: Instant,
): Promise<Certificate> {
  const { coin, timeframe } = request
  const market = requireCandleMarket(coin)
  const range = closedPart(settings, request, now)
  const series: Series = { coinId: coin.id, timeframe, source: market.source.id }
  const gaps = await findGaps(pool, settings, [coin], [timeframe], range, now)
  const facts = await inTransaction(pool, (tx) => gather(tx, settings, market, series, range), 'maintenance')
  const expected = candleCount(range, timeframe)
  const missing = gaps.reduce((sum, gap) => sum + gap.candles, 0)
  return {
    coinId: coin.id,
    timeframe,
    range,
    expected,
    balances: expected === facts.candles + missing,
    ...divide(gaps),
    ...facts,
  }
}

type Facts = Omit<
  Certificate,
  'coinId' | 'timeframe' | 'range' | 'expected' | 'balances' | keyof ReturnType<typeof divide>
>

async function gather(
  tx: Transaction,
  settings: Settings,
  market: CandleMarket,
  series: Series,
  range: AlignedRange,
): Promise<Facts> {
  await tx.db.execute(sql`set transaction isolation level repeatable read, read only`)
  const { timeframe } = series
  const sources = provenanceOf(await readCoverage(tx.db, series, range), timeframe)
  const ids = sources.map(({ source }) => source)
  let provisional = 0
  for (const source of ids) {
    const unresolved = await readUnresolvedOf(tx.db, { ...series, source, range })
    provisional += countOf(unresolved.provisional, timeframe)
  }
  const changed = await countRevisions(tx.db, series, range)
  const behind = await readRunsBehind(tx.db, series, ids, range, {
    recheck: settings.candles.recheck,
    perAnswer: candlesPerPage(market.source.candles, timeframe),
    most: named,
  })
  return {
    ...(await digestCandles(tx, series, range)),
    sources,
    provisional,
    revised: changed.candles,
    revisions: changed.revisions,
    runs: behind.runs,
    runCount: behind.total,
  }
}

function provenanceOf(coverage: readonly CoverageRange[], timeframe: Timeframe): Provenance[] {
  const stored = coverage.filter(({ state }) => state === 'stored')
  return [...new Set(stored.map(({ source }) => source))].map((source) => {
    const ranges = union(stored.filter((known) => known.source === source).map(({ range }) => range))
    const candles = countOf(ranges, timeframe)
    return { source, candles, rangeCount: ranges.length, ranges: ranges.slice(0, named) }
  })
}

const countOf = (ranges: readonly AlignedRange[], timeframe: Timeframe): number =>
  ranges.reduce((sum, range) => sum + candleCount(range, timeframe), 0)

/** No final answer yet. */
const missingCauses: readonly GapCause[] = [
  'not-fetched',
  'past-retention',
  'our-outage',
  'no-partition',
  'late',
]

function divide(gaps: readonly Gap[]): Pick<Certificate, 'absent' | 'refused' | 'missing'> {
  const absent: Partial<Record<GapCause, number>> = {}
  let [refused, missing] = [0, 0]
  for (const { cause, candles } of gaps) {
    if (cause === 'refused') refused += candles
    else if (missingCauses.includes(cause)) missing += candles
    else absent[cause] = (absent[cause] ?? 0) + candles
  }
  return { absent, refused, missing }
}

/** Closed open times of the range. Throws InvalidInput if there are none. */
export function closedPart(
  settings: Settings,
  { timeframe, range: asked }: Omit<CertificateRequest, 'coin'>,
  now: Instant,
): AlignedRange {
  const { from, to } = alignTo(timeframe, asked)
  const closedTo = finalClose(settings, timeframe, now)
  const range = { from, to: earlier(to, closedTo) }
  if (!isEmpty(range)) return range
  throw new InvalidInput(
    `no ${timeframe} candle of the range has closed yet: ask for a --from before ${toMinuteText(closedTo)}`,
  )
}
