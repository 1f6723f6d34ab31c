import { BeforeHistory, UnknownMarket } from '../../fault.ts'
import type { SendOptions } from '../../http/request.ts'
import { isZero } from '../../market/decimal.ts'
import { day, earlier, type Instant, later, plus } from '../../market/instant.ts'
import { type AlignedRange, candleCount, contains, type Range } from '../../market/range.ts'
import { floorTo, plusCandles, type Timeframe, timeframeMs } from '../../market/timeframe.ts'
import { type AskDeps, askForCandles } from '../../sources/ask.ts'
import { type AnswerRow, type CandleProvider, reachableFrom } from '../../sources/source.ts'
import { walkCandles } from '../../sources/walk.ts'
import { silenceMs } from './doubt.ts'

/** Trading in a range: daily, silent until an instant, or unknown. */
export type Trading = 'traded' | Readonly<{ silentUntil: Instant }> | 'unknown'

type Market = Readonly<{ source: CandleProvider; symbol: string }>

/** Finest first; longer candles are kept longer. */
const checkedAt: readonly Timeframe[] = ['1h', '4h', '1d']

/** Reads at most a page. */
export async function tradingIn(
  deps: AskDeps,
  market: Market,
  range: Range,
  options: SendOptions & Readonly<{ now: Instant }>,
): Promise<Trading> {
  const { candles } = market.source
  const timeframe = checkedAt.find(
    (name) =>
      isOwn(market, name) &&
      reachableFrom(candles, name, options.now) <= floorTo(name, range.from) &&
      candleCount(onGrid(name, range), name) <= candles.pageSize,
  )
  if (timeframe === undefined) return 'unknown'
  const whole = onGrid(timeframe, range)
  const traded = await tradedTimes(deps, market, timeframe, whole, options)
  if (traded === 'unknown') return 'unknown'
  const silence = lastSilence(whole, traded.openTimes, timeframeMs[timeframe])
  return silence === undefined ? 'traded' : { silentUntil: silence.to }
}

const isOwn = ({ source: { candles } }: Market, timeframe: Timeframe): boolean =>
  candles.timeframes.includes(timeframe) && candles.madeFrom?.[timeframe] === undefined

const onGrid = (timeframe: Timeframe, { from, to }: Range): AlignedRange => {
  const end = floorTo(timeframe, to)
  return { from: floorTo(timeframe, earlier(from, plus(end, -silenceMs))), to: end }
}

/** Open times with volume, ascending. */
type TradedTimes = Readonly<{
  openTimes: readonly Instant[]
  hasBeginning: boolean
}>

/** `unknown`: the source does not know the symbol. */
async function tradedTimes(
  deps: AskDeps,
  { source, symbol }: Market,
  timeframe: Timeframe,
  range: AlignedRange,
  { now, ...options }: SendOptions & Readonly<{ now: Instant }>,
): Promise<TradedTimes | 'unknown'> {
  const query = { symbol, timeframe, range, asOf: now }
  try {
    const { rows } = await askForCandles(deps, source, query, options)
    return { openTimes: tradedIn(rows, range), hasBeginning: false }
  } catch (error) {
    if (error instanceof UnknownMarket) return 'unknown'
    if (!(error instanceof BeforeHistory)) throw error
  }
  // The range begins before the market: the walk finds where.
  const rows: AnswerRow[] = []
  for await (const page of walkCandles(deps, source, query, options)) rows.push(...page.rows)
  return { openTimes: tradedIn(rows, range), hasBeginning: true }
}

const tradedIn = (rows: readonly AnswerRow[], range: AlignedRange): Instant[] =>
  rows
    .flatMap((row) => ('candle' in row && !isZero(row.candle.volume) ? [row.candle.openTime] : []))
    .filter((openTime) => contains(range, openTime))
    .toSorted((a, b) => a - b)

/** The last silence long enough to separate markets. */
function lastSilence(range: Range, traded: readonly Instant[], candleMs: number): Range | undefined {
  let from = range.from
  let silence: Range | undefined
  for (const openTime of [...traded, range.to]) {
    if (openTime - from >= silenceMs) silence = { from, to: openTime }
    from = later(from, plus(openTime, candleMs))
  }
  return silence
}

/** Limit for long histories. */
const mostPages = 15

/** Newest first, in the longest timeframe. */
async function* pagesBack(
  deps: AskDeps,
  market: Market,
  before: Instant,
  options: SendOptions & Readonly<{ now: Instant }>,
): AsyncGenerator<readonly Instant[]> {
  const { candles } = market.source
  const timeframe = checkedAt.findLast((name) => isOwn(market, name))
  if (timeframe === undefined) return
  const oldest = reachableFrom(candles, timeframe, options.now)
  let to = floorTo(timeframe, before)
  for (let page = 0; page < mostPages && to > oldest; page += 1) {
    const from = later(oldest, plusCandles(to, -candles.pageSize, timeframe))
    const traded = await tradedTimes(deps, market, timeframe, { from, to }, options)
    yield traded === 'unknown' ? [] : traded.openTimes
    if (traded !== 'unknown' && traded.hasBeginning) return
    to = from
  }
}

export async function tradedBefore(
  deps: AskDeps,
  market: Market,
  at: Instant,
  options: SendOptions & Readonly<{ now: Instant }>,
): Promise<boolean> {
  for await (const traded of pagesBack(deps, market, at, options)) if (traded.length > 0) return true
  return false
}

/** Longer than any exchange outage; hardly any coin pauses so long. */
const longSilenceMs = 10 * day

/** Then there was none before either. */
const emptyPages = 2

/** The last long silence between trades, by day. */
export async function longSilence(
  deps: AskDeps,
  market: Market,
  options: SendOptions & Readonly<{ now: Instant }>,
): Promise<Range | undefined> {
  let next: Instant | undefined
  let empty = 0
  for await (const traded of pagesBack(deps, market, options.now, options)) {
    for (const openTime of traded.toReversed()) {
      const end = floorTo('1d', plus(openTime, day))
      if (next !== undefined && next - end >= longSilenceMs) return { from: end, to: floorTo('1d', next) }
      next = openTime
    }
    empty = traded.length === 0 ? empty + 1 : 0
    if (empty === emptyPages) return undefined
  }
  return undefined
}
