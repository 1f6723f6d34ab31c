import { Aborted, Fault, Unavailable, UnknownMarket } from '../../fault.ts'
import type { HttpAnswer, HttpRequest } from '../../http/request.ts'
import type { CoinPriceRow } from '../../market/coin-price.ts'
import { type CheckedPrice, checkPrices, type DroppedNumber } from '../../market/coin-price-check.ts'
import type { Context } from '../../runtime/context.ts'
import { joinSignals } from '../../runtime/joined-signal.ts'
import { inSpan } from '../../runtime/trace.ts'
import { toHttpRequest } from '../../sources/source.ts'
import { absentAnswers, type CoinAnswer, coinAnswersOf } from './coin-answers.ts'
import type { PriceRequest } from './price-sources.ts'
import type { TradingMarkets } from './trading-markets.ts'

type Deps = Pick<Context, 'http' | 'log' | 'settings' | 'signal'> & Readonly<{ trading: TradingMarkets }>

/** An answer by coin, with unreadable numbers dropped. */
export type AnsweredPage = Readonly<{
  answers: readonly CoinAnswer[]
  dropped: readonly DroppedNumber[]
  roundedValues: number
}>

export type Asked = Readonly<{ requests: number; failure?: Fault }>

/** Requests a source in pages. An unknown market fails its page, which is halved to isolate it. */
export async function askForPrices(
  deps: Deps,
  priceRequest: PriceRequest,
  take: (page: AnsweredPage) => Promise<void>,
): Promise<Asked> {
  const { source, coinIdsOf } = priceRequest
  const waiting = pagesOf([...coinIdsOf.keys()], source.prices.pageSize)
  let requests = 0
  for (let page = waiting.shift(); page; page = waiting.shift()) {
    requests += 1
    const answered = await pageOrFault(deps, priceRequest, page)
    if (!(answered instanceof Fault)) await take(answered)
    else if (!(answered instanceof UnknownMarket)) return { requests, failure: answered }
    else if (page.length === 1) await take(unknownMarket(deps, priceRequest, page, answered))
    else {
      const middle = Math.ceil(page.length / 2)
      waiting.unshift(page.slice(0, middle), page.slice(middle))
    }
  }
  return { requests }
}

/** Source faults are results; aborts end the run. */
async function pageOrFault(
  deps: Deps,
  priceRequest: PriceRequest,
  page: readonly string[],
): Promise<AnsweredPage | Fault> {
  try {
    return await askPage(deps, priceRequest, page)
  } catch (error) {
    if (!(error instanceof Fault) || deps.signal.aborted) throw error
    if (!(error instanceof Aborted)) return error
    return new Unavailable(
      `${priceRequest.source.id} has no request to spare in its budget: another source is asked meanwhile`,
    )
  }
}

function unknownMarket(
  { log }: Deps,
  { source, coinIdsOf }: PriceRequest,
  markets: readonly string[],
  { message }: UnknownMarket,
): AnsweredPage {
  log.warn('prices.unknown-market', { source: source.id, market: markets[0] })
  const answers = absentAnswers(markets, message, (market) =>
    (coinIdsOf.get(market) ?? []).map((coinId) => ({ source: source.id, market, coinId })),
  )
  return { answers, dropped: [], roundedValues: 0 }
}

function pagesOf(markets: readonly string[], pageSize: number): (readonly string[])[] {
  const pages: (readonly string[])[] = []
  for (let start = 0; start < markets.length; start += pageSize)
    pages.push(markets.slice(start, start + pageSize))
  return pages
}

/** A late price is useless: give up and use another source. */
async function getInTime({ http, settings, signal }: Deps, request: HttpRequest): Promise<HttpAnswer> {
  const ending = joinSignals([signal], 2 * settings.http.timeout)
  try {
    return await http.get(request, { lane: 'live', signal: ending.signal })
  } finally {
    ending.release()
  }
}

async function askPage(
  deps: Deps,
  priceRequest: PriceRequest,
  markets: readonly string[],
): Promise<AnsweredPage> {
  const { settings, trading } = deps
  const { source } = priceRequest
  const request = toHttpRequest(source, source.prices.request(markets), settings.environment.baseUrls)
  const answer = await getInTime(deps, request)
  const checked = await inSpan('parse', {}, (annotate) => {
    const rows = source.prices.parse(answer.text, answer.answeredAt, markets)
    const expectation = { now: answer.answeredAt, staleAfterMs: settings.prices.staleAfter }
    const sorted = checkPrices(rowsOf(rows, markets), expectation)
    const count = (kind: CheckedPrice['kind']) => sorted.filter((row) => row.kind === kind).length
    annotate({ 'beacon.rows': count('accepted'), 'beacon.rows.rejected': count('rejected') })
    return sorted
  })
  const rows = await withoutHalted(trading, priceRequest, checked)
  const accepted = rows.flatMap((row) => (row.kind === 'accepted' ? [row] : []))
  return {
    answers: coinAnswersOf(priceRequest, markets, rows),
    dropped: accepted.flatMap(({ dropped }) => dropped),
    roundedValues: accepted.reduce((sum, { roundedValues }) => sum + roundedValues, 0),
  }
}

/** The last price of a halted market is not current. */
async function withoutHalted(
  trading: TradingMarkets,
  priceRequest: PriceRequest,
  rows: readonly CheckedPrice[],
): Promise<readonly CheckedPrice[]> {
  if (!rows.some(({ kind }) => kind === 'accepted')) return rows
  const isTrading = await trading.of(priceRequest)
  return rows.map((row) =>
    row.kind === 'accepted' && !isTrading(row.price.market)
      ? { raw: row.raw, kind: 'no-price', market: row.price.market, why: 'it is not trading' }
      : row,
  )
}

/** Rows of requested markets. A row without a market counts only if nothing else was sent. */
function rowsOf(rows: readonly CoinPriceRow[], markets: readonly string[]): CoinPriceRow[] {
  const asked = new Set(markets)
  return rows.filter((row) => {
    const market = 'price' in row ? row.price.market : row.market
    return market === undefined ? rows.length <= asked.size : asked.has(market)
  })
}
