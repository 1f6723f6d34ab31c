import { createHash } from 'node:crypto'
import { InvalidInput } from '../../fault.ts'
import { earlier, type Instant, later, plus, toMinuteText } from '../../market/instant.ts'
import {
  type AlignedRange,
  alignTo,
  candleCount,
  intersect,
  isEmpty,
  type Range,
  splitOnGrid,
  subtract,
  union,
} from '../../market/range.ts'
import { type AlignedInstant, ceilTo, floorTo, type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import { candlesPerPage } from '../../sources/source.ts'
import type { Coin } from '../../store/coins.ts'
import { type CoverageRange, readCoverage } from '../../store/coverage.ts'
import type { Database } from '../../store/transaction.ts'
import { obtainablePart } from '../kept-history.ts'
import { type CandleMarket, candleMarketOf, candleSource, requireCandleMarket } from '../markets.ts'

export type VerifyRequest = Readonly<{
  coin: Coin
  timeframe: Timeframe
  range: Range
  /** Only candles from this source or none. */
  source?: string
  /** Number of pages, chosen by the seed. */
  sample?: number
  seed: string
}>

/** A range to compare. */
export type MarketRange = Readonly<{ market: CandleMarket; range: AlignedRange }>

/**
 * Why a range is not compared. `beyond-source`: too old for it. `past-retention`: not stored and expired.
 * `before-listing`, `ended`: another market then. `no-market`: no longer tracked. `other-source`: from another source
 * than requested. `unanswered`: no answer. `market-gone`: unknown market.
 */
export type UnreadCause =
  | 'beyond-source'
  | 'past-retention'
  | 'before-listing'
  | 'ended'
  | 'no-market'
  | 'other-source'
  | 'unanswered'
  | 'market-gone'

export type Unread = Readonly<{
  source: string
  range: AlignedRange
  candles: number
  cause: UnreadCause
}>

export type VerificationPlan = Readonly<{
  coinId: string
  timeframe: Timeframe
  /** Aligned, final candles only. */
  wanted: AlignedRange
  marketRanges: readonly MarketRange[]
  candles: number
  /** For samples. */
  sampled: Readonly<{ seed: string; pages: number; of: number }> | undefined
  unread: readonly Unread[]
}>

/** Throws InvalidInput. */
export async function planVerification(
  db: Database,
  settings: Settings,
  request: VerifyRequest,
  now: Instant,
): Promise<VerificationPlan> {
  const { coin, timeframe, range } = request
  const market = marketOf(request)
  const { from, to } = alignTo(timeframe, range)
  // Newer candles may still be corrected.
  const finalTo = floorTo(timeframe, plus(now, -settings.candles.absentAfter))
  const wanted = { from, to: later(from, earlier(to, finalTo)) }
  if (isEmpty(wanted)) {
    throw new InvalidInput(
      `no ${timeframe} candle of the range is final yet: set --from to before ${toMinuteText(finalTo)}`,
    )
  }
  const coverage = await readCoverage(db, { coinId: coin.id, timeframe }, wanted)
  const keepMs = settings.timeframes[timeframe]?.keep
  const keptFrom = keepMs === undefined ? from : ceilTo(timeframe, plus(now, -keepMs))
  const { shares, elsewhere } = shareOut({ wanted, keptFrom }, coverage, market.source.id, request)
  const parts = shares.map(([source, ranges]) => reachOf(coin, source, timeframe, ranges, now))
  const whole = parts.flatMap(({ marketRanges }) => marketRanges)
  const { marketRanges, sampled } = sampleOf(whole, request)
  return {
    coinId: coin.id,
    timeframe,
    wanted,
    marketRanges,
    candles: marketRanges.reduce((sum, marketRange) => sum + candleCount(marketRange.range, timeframe), 0),
    sampled,
    unread: [...parts.flatMap(({ unread }) => unread), ...elsewhere],
  }
}

function marketOf({ coin, timeframe, source }: VerifyRequest): CandleMarket {
  if (source !== undefined) candleSource(source)
  const market = requireCandleMarket(coin, source)
  if (!market.source.candles.timeframes.includes(timeframe)) {
    throw new InvalidInput(
      `${market.source.id} has no ${timeframe} candles; it has ${market.source.candles.timeframes.join(', ')}`,
    )
  }
  return market
}

/** Stored ranges go to their source, missing ones to the first; expired ones to none. */
function shareOut(
  { wanted, keptFrom }: Readonly<{ wanted: AlignedRange; keptFrom: AlignedInstant }>,
  coverage: readonly CoverageRange[],
  first: string,
  { timeframe, source: only }: VerifyRequest,
): { shares: [string, AlignedRange[]][]; elsewhere: Unread[] } {
  const stored = coverage.filter(({ state }) => state === 'stored')
  const shares: [string, AlignedRange[]][] = []
  const elsewhere: Unread[] = []
  let left: AlignedRange[] = [wanted]
  for (const source of new Set([first, ...stored.map((known) => known.source)])) {
    const own = stored.filter((known) => known.source === source).map(({ range }) => range)
    const share = left.flatMap((range) => own.flatMap((part) => intersect(range, part) ?? []))
    left = left.flatMap((range) => subtract(range, share))
    if (only === undefined || source === only) shares.push([source, share])
    else elsewhere.push(...union(share).map((range) => unread(source, range, timeframe, 'other-source')))
  }
  const known = coverage.map(({ range }) => range)
  const expired = subtract({ from: wanted.from, to: later(wanted.from, earlier(keptFrom, wanted.to)) }, known)
  elsewhere.push(...expired.map((range) => unread(first, range, timeframe, 'past-retention')))
  const asked = left.flatMap((range) => subtract(range, expired))
  return {
    shares: shares.map(([source, share]) => [source, union(source === first ? [...share, ...asked] : share)]),
    elsewhere,
  }
}

const unread = (source: string, range: AlignedRange, timeframe: Timeframe, cause: UnreadCause): Unread => ({
  source,
  range,
  candles: candleCount(range, timeframe),
  cause,
})

/** Splits a source's ranges into readable and unreadable. */
function reachOf(
  coin: Coin,
  source: string,
  timeframe: Timeframe,
  ranges: readonly AlignedRange[],
  now: Instant,
): { marketRanges: MarketRange[]; unread: Unread[] } {
  const market = candleMarketOf(coin, source)
  if (!market?.source.candles.timeframes.includes(timeframe)) {
    return { marketRanges: [], unread: ranges.map((range) => unread(source, range, timeframe, 'no-market')) }
  }
  const within = ranges.map((range) => ({ range, part: obtainablePart(market, timeframe, range, now) }))
  return {
    marketRanges: within.flatMap(({ part }) => (isEmpty(part) ? [] : [{ market, range: part }])),
    unread: within.flatMap(({ range, part }) =>
      subtract(range, [part]).map((rest) =>
        unread(source, rest, timeframe, causeOf(market, timeframe, rest)),
      ),
    ),
  }
}

function causeOf(
  { listedFrom, listedTo }: CandleMarket,
  timeframe: Timeframe,
  rest: AlignedRange,
): UnreadCause {
  if (listedTo !== undefined && rest.from >= ceilTo(timeframe, listedTo)) return 'ended'
  return listedFrom !== undefined && rest.to <= ceilTo(timeframe, listedFrom)
    ? 'before-listing'
    : 'beyond-source'
}

/** By a hash of seed, source and range: reproducible. */
function sampleOf(
  marketRanges: readonly MarketRange[],
  { sample, seed, timeframe }: VerifyRequest,
): Pick<VerificationPlan, 'marketRanges' | 'sampled'> {
  if (sample === undefined) return { marketRanges, sampled: undefined }
  const pages = marketRanges.flatMap(({ market, range }) => {
    const perPage = candlesPerPage(market.source.candles, timeframe)
    const pageMs = perPage * timeframeMs[timeframe]
    return splitOnGrid(range, timeframe, perPage).map((page) => {
      const place = `${seed} ${market.source.id} ${timeframe} ${Math.floor(page.from / pageMs)}`
      return { market, range: page, draw: createHash('sha256').update(place).digest('hex') }
    })
  })
  const chosen = new Set(pages.toSorted((a, b) => (a.draw < b.draw ? -1 : 1)).slice(0, sample))
  return {
    marketRanges: pages.filter((page) => chosen.has(page)).map(({ market, range }) => ({ market, range })),
    sampled: { seed, pages: chosen.size, of: pages.length },
  }
}
