import { UnknownMarket } from '../fault.ts'
import type { HttpClient } from '../http/request.ts'
import { checkCandles } from '../market/candle-check.ts'
import {
  type AlignedRange,
  candleCount,
  candleFrom,
  contains,
  split,
  subtract,
  union,
} from '../market/range.ts'
import type { Timeframe } from '../market/timeframe.ts'
import type { Context } from '../runtime/context.ts'
import type { WalkedPage } from '../sources/walk/walked-page.ts'
import { walkCandles } from '../sources/walk.ts'
import { readCandles } from '../store/candles.ts'
import { readCoverage } from '../store/coverage.ts'
import { readDiscarded } from '../store/quarantine/discarded.ts'
import { databaseOf } from '../store/transaction.ts'
import type { CandleMarket } from './markets.ts'
import { pauseOrThrow, type RetryPolicy } from './retry-policy.ts'
import {
  type Comparison,
  compareCandles,
  type Difference,
  type DifferenceKind,
  differenceKinds,
} from './verify/compare-with-source.ts'
import type { MarketRange, Unread, VerificationPlan } from './verify/verification-plan.ts'

type Checked = Readonly<{ source: string; symbol: string; candles: number; requests: number }>

type Mendable = Readonly<{ market: CandleMarket; ranges: readonly AlignedRange[] }>

export type Verification = Readonly<{
  identical: number
  counts: Readonly<Record<DifferenceKind, number>>
  examples: readonly Difference[]
  /** Open times to request again: missing or different here. */
  mendable: readonly Mendable[]
  /** Rejected here and at the source. */
  quarantined: number
  /** Discarded candles. */
  discarded: number
  notFetched: number
  sources: readonly Checked[]
  /** Ranges not compared. */
  unread: readonly Unread[]
}>

export type VerifyDeps = Readonly<{ http: HttpClient }> & Pick<Context, 'pool' | 'clock' | 'settings'>

export type VerifyOptions = RetryPolicy &
  Readonly<{
    onProgress(candles: number): void
  }>

const examplesOfEach = 5

/** Compares the plan's ranges with their sources, read-only, in memory of a page. */
export async function verifyCandles(
  deps: VerifyDeps,
  plan: VerificationPlan,
  options: VerifyOptions,
): Promise<Verification> {
  const tally = new Tally(plan)
  for (const marketRange of plan.marketRanges) {
    const answered: AlignedRange[] = []
    try {
      for await (const page of walkPatiently(deps, plan.timeframe, marketRange, options)) {
        for await (const comparison of comparePage(deps, plan, marketRange, page))
          tally.add(marketRange, comparison)
        answered.push(page.answered)
        tally.count(marketRange, page)
        options.onProgress(tally.done)
      }
      tally.leaveOut(marketRange, answered, 'unanswered')
    } catch (error) {
      if (!(error instanceof UnknownMarket)) throw error
      tally.leaveOut(marketRange, answered, 'market-gone')
    }
  }
  return tally.result()
}

/** Continues after failures, in the backfill lane. */
async function* walkPatiently(
  { http, settings, clock }: VerifyDeps,
  timeframe: Timeframe,
  { market: { source, symbol }, range }: MarketRange,
  retryPolicy: RetryPolicy,
): AsyncGenerator<WalkedPage> {
  let { from } = range
  let failures = 0
  while (from < range.to) {
    try {
      const query = { symbol, timeframe, range: { from, to: range.to }, asOf: clock.now() }
      const sending = { lane: 'backfill', signal: retryPolicy.signal } as const
      const deps = { http, baseUrls: settings.environment.baseUrls }
      for await (const page of walkCandles(deps, source, query, sending)) {
        from = page.answered.to
        failures = 0
        yield page
      }
      return
    } catch (error) {
      failures += 1
      await pauseOrThrow(error, failures, retryPolicy)
    }
  }
}

/** An empty answer may cover years. */
const candlesAtOnce = 10_000

type Compared = Comparison & Readonly<{ discarded: number; notFetched: number }>

async function* comparePage(
  { pool }: VerifyDeps,
  { coinId, timeframe }: VerificationPlan,
  { market }: MarketRange,
  { rows, answered, answeredAt }: WalkedPage,
): AsyncGenerator<Compared> {
  const db = databaseOf(pool)
  const given = checkCandles(rows, { timeframe, range: answered, now: answeredAt })
  const series = { coinId, timeframe, source: market.source.id }
  for (const range of split(answered, timeframe, candlesAtOnce)) {
    const stored = await readCandles(db, series, range, candlesAtOnce)
    const comparison = compareCandles(range, timeframe, given, stored)
    if (!comparison.differences.some(({ kind }) => kind === 'missing'))
      yield { ...comparison, discarded: 0, notFetched: 0 }
    else {
      const known = (await readCoverage(db, series, range)).map((part) => part.range)
      yield withoutUnwanted(comparison, await readDiscarded(db, series, range), subtract(range, known))
    }
  }
}

/** Drops discarded and never requested candles. */
function withoutUnwanted(
  comparison: Comparison,
  resolved: readonly AlignedRange[],
  unknown: readonly AlignedRange[],
): Compared {
  const missingIn =
    (ranges: readonly AlignedRange[]) =>
    ({ kind, openTime }: Difference) =>
      kind === 'missing' && ranges.some((range) => contains(range, openTime))
  const isDiscarded = missingIn(resolved)
  const isUnknown = missingIn(unknown)
  const notFetched = comparison.differences.filter(isUnknown).length
  const fetched = comparison.differences.filter((difference) => !isUnknown(difference))
  const differences = fetched.filter((difference) => !isDiscarded(difference))
  return { ...comparison, differences, discarded: fetched.length - differences.length, notFetched }
}

type Found = Checked & { candles: number; requests: number; market: CandleMarket; mendable: AlignedRange[] }

class Tally {
  readonly #timeframe: Timeframe
  readonly #counts: Record<DifferenceKind, number> = { revised: 0, missing: 0, extra: 0, refused: 0 }
  readonly #examples: Difference[] = []
  readonly #bySource = new Map<string, Found>()
  readonly #unread: Unread[]
  #identical = 0
  #quarantined = 0
  #discarded = 0
  #notFetched = 0
  done = 0

  constructor({ timeframe, unread }: VerificationPlan) {
    this.#timeframe = timeframe
    this.#unread = [...unread]
  }

  add(
    { market }: MarketRange,
    { identical, differences, rejectedByBoth, discarded, notFetched }: Compared,
  ): void {
    this.#identical += identical
    this.#quarantined += rejectedByBoth
    this.#discarded += discarded
    this.#notFetched += notFetched
    for (const { kind } of differences) this.#counts[kind] += 1
    for (const kind of differenceKinds) {
      const left = examplesOfEach - this.#examples.filter((example) => example.kind === kind).length
      this.#examples.push(...differences.filter((difference) => difference.kind === kind).slice(0, left))
    }
    const mendable = differences.filter(({ kind }) => kind === 'revised' || kind === 'missing')
    if (mendable.length === 0) return
    const slots = mendable.map(({ openTime }) => candleFrom(openTime, this.#timeframe))
    const found = this.#of(market)
    found.mendable = union([...found.mendable, ...slots])
  }

  count({ market }: MarketRange, { answered, requests }: WalkedPage): void {
    const candles = candleCount(answered, this.#timeframe)
    this.done += candles
    const found = this.#of(market)
    found.candles += candles
    found.requests += requests
  }

  leaveOut({ market, range }: MarketRange, answered: readonly AlignedRange[], cause: Unread['cause']): void {
    for (const rest of subtract(range, answered)) {
      const candles = candleCount(rest, this.#timeframe)
      this.#unread.push({ source: market.source.id, range: rest, candles, cause })
    }
  }

  #of(market: CandleMarket): Found {
    const { source, symbol } = market
    const found = this.#bySource.get(source.id) ?? {
      source: source.id,
      symbol,
      market,
      candles: 0,
      requests: 0,
      mendable: [],
    }
    this.#bySource.set(source.id, found)
    return found
  }

  result(): Verification {
    const found = [...this.#bySource.values()]
    return {
      identical: this.#identical,
      counts: this.#counts,
      examples: this.#examples.toSorted((a, b) => a.openTime - b.openTime),
      mendable: found.flatMap(({ market, mendable }) =>
        mendable.length > 0 ? [{ market, ranges: mendable }] : [],
      ),
      quarantined: this.#quarantined,
      discarded: this.#discarded,
      notFetched: this.#notFetched,
      sources: found.map(({ source, symbol, candles, requests }) => ({ source, symbol, candles, requests })),
      unread: this.#unread,
    }
  }
}
