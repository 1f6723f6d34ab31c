import { sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { InvalidInput } from '../../fault.ts'
import { earlier, type Instant, toMinuteText } from '../../market/instant.ts'
import { type AlignedRange, alignTo, candleCount, isEmpty, type Range, union } from '../../market/range.ts'
import type { Timeframe } from '../../market/timeframe.ts'
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

/** Where stored candles came from; the first of its stretches, and how many there are in all. */
type Provenance = Readonly<{
  source: string
  candles: number
  rangeCount: number
  ranges: readonly AlignedRange[]
}>

/** What there is of a series, and what is known of the rest: expected = stored + absent + refused + owed. */
export type Certificate = CandleDigest &
  Readonly<{
    coinId: string
    timeframe: Timeframe
    /** On the grid, and as far as its candles are closed. */
    range: AlignedRange
    expected: number
    /** Whether the parts add up: if not, the ledger and the table disagree. */
    balances: boolean
    absent: Readonly<Partial<Record<GapCause, number>>>
    refused: number
    missing: number
    /** Stored candles that were not yet seen unchanged long enough after their close. */
    provisional: number
    /** Stored candles that their source has changed, and how often. */
    revised: number
    revisions: number
    sources: readonly Provenance[]
    /** The first of the runs behind it, and how many there are in all. */
    runs: readonly RunBehind[]
    runCount: number
  }>

export type CertificateRequest = Readonly<{ coin: Coin; timeframe: Timeframe; range: Range }>

/** So many stretches of a source, and so many runs, are named one by one. */
const named = 100

/** A load may be committed between two of our looks, and the two then do not add up. */
const attempts = 3

/** Says what there is of a series, why the rest is not there, and what to compare it by. Throws InvalidInput. */
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

/** What the tables hold, all of it as of one moment. */
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

/** Nobody has answered for these yet, or not for good. */
const missingCauses: readonly GapCause[] = ['not-fetched', 'our-outage', 'no-partition', 'late']

/** Divides what is missing by why it is. */
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

/** The open times of the wish that are closed by now, on the grid. Throws InvalidInput when there is none. */
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
