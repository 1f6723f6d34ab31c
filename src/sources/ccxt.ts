import type { Exchange } from 'ccxt'
import { InvalidInput, Malformed, UnknownMarket } from '../fault.ts'
import type { CandleRow } from '../market/candle.ts'
import { hour, type Instant, toInstant } from '../market/instant.ts'
import { candleCount, type Range } from '../market/range.ts'
import { type Timeframe, timeframeMs, timeframes } from '../market/timeframe.ts'
import type { CcxtSourceId } from '../settings/source-ids.ts'
import { bend, type Converse, type HeardRow } from './ccxt/conversation.ts'
import { faultInAnswer } from './ccxt/faults.ts'
import { nameOf, openExchange } from './ccxt/library.ts'
import { readCandle, readCandleRows } from './decoding/candle-rows.ts'
import { known } from './known.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import { isTokenizedStockName } from './listing/market-kind.ts'
import type { OtherKind } from './listing/other-kind.ts'
import type { Ask, CandleQuery, CandleTraits, ConversingSource } from './source.ts'

const opened = new Map<CcxtSourceId, ConversingSource>()

/**
 * An exchange through ccxt, opened on first use; symbols like `BTC/EUR`. Throws Misconfigured without ccxt,
 * InvalidInput for an exchange without candles.
 */
export function ccxtSource(id: CcxtSourceId): ConversingSource {
  const found = opened.get(id)
  if (found) return found
  const source = openCcxtSource(id)
  opened.set(id, source)
  return source
}

function openCcxtSource(id: CcxtSourceId): ConversingSource {
  const library = openExchange(id)
  const { exchange } = library
  const traits = traitsOf(exchange)
  if (exchange.has.fetchOHLCV !== true || exchange.has.spot !== true || traits.timeframes.length === 0)
    throw new InvalidInput(
      `ccxt has no candles of spot markets of ${nameOf(id)}: follow the coin on another source`,
    )
  askForSpotOnly(exchange)
  const markets = new Markets(id, exchange, bend(id, library))
  return {
    id,
    hosts: [hostOf(exchange)],
    // ccxt's pace: ms per request of cost 1.
    rateLimits: [{ points: 1, perMs: Math.max(1, exchange.rateLimit ?? 1_000) }],
    classify: (answer) => faultInAnswer(id, library, answer),
    candles: { ...traits, converse: (ask, query) => markets.readCandles(ask, query) },
    listing: { converse: (ask) => markets.list(ask) },
  }
}

/** For exchanges without a known page size. */
const cautiousPageSize = 100

/** Limits the answer's size. */
const longestPageSize = 10_000

function traitsOf(exchange: Exchange): CandleTraits {
  const own = timeframes.filter((timeframe) => exchange.timeframes?.[timeframe] !== undefined)
  const madeFrom = Object.fromEntries(
    timeframes.flatMap((timeframe) => {
      const part = own.findLast((shorter) => isPartOf(shorter, timeframe))
      return own.includes(timeframe) || part === undefined ? [] : [[timeframe, part]]
    }),
  )
  const limit: unknown = exchange.featureValueByType('spot', undefined, 'fetchOHLCV', 'limit')
  return {
    timeframes: timeframes.filter((timeframe) => own.includes(timeframe) || timeframe in madeFrom),
    madeFrom,
    pageSize: typeof limit === 'number' ? Math.min(limit, longestPageSize) : cautiousPageSize,
    weight: 1,
    // Unknown in ccxt.
    depth: 'unknown',
    bounds: 'none',
    longWindow: 'refused',
  }
}

const isPartOf = (shorter: Timeframe, longer: Timeframe): boolean =>
  timeframeMs[shorter] < timeframeMs[longer] && timeframeMs[longer] % timeframeMs[shorter] === 0

/** Avoids listings of other market types and fee requests. */
function askForSpotOnly({ options }: Exchange): void {
  const listing = options.fetchMarkets
  if (typeof listing !== 'object' || listing === null) return
  if ('types' in listing) listing.types = spotOf(listing.types)
  if ('fetchTickersFees' in listing) listing.fetchTickersFees = false
}

function spotOf(types: unknown): unknown {
  if (Array.isArray(types)) return types.filter((type) => type === 'spot')
  if (typeof types !== 'object' || types === null) return false
  return Object.fromEntries(
    Object.entries(types).map(([type, wanted]) => [type, type === 'spot' ? wanted : spotOf(wanted)]),
  )
}

function hostOf(exchange: Exchange): string {
  const [url = 'https://localhost'] = JSON.stringify(exchange.urls.api).match(/https?:[^"]+/) ?? []
  return new URL(exchange.implodeHostname(url)).origin
}

/** ccxt shows this only in its code; other exchanges would get an unknown parameter. */
const takesUntil = (exchange: Exchange): boolean =>
  ['fetchOHLCV', 'fetchSpotOHLCV', 'fetchOHLCVRequest'].some((name) =>
    /until/i.test(String(Reflect.get(exchange, name))),
  )

/** Exchanges mark stock tokens in different fields. */
const kindOf = (info: unknown): OtherKind | undefined =>
  typeof info === 'object' &&
  info !== null &&
  Object.values(info).some((value) => typeof value === 'string' && isTokenizedStockName(value))
    ? 'tokenized-stock'
    : undefined

/** Refresh interval for unknown markets. */
const listingMs = hour

/** Listing of one exchange; ccxt needs it for other requests. */
class Markets {
  readonly #id: CcxtSourceId
  readonly #exchange: Exchange
  readonly #converse: Converse
  readonly #takesUntil: boolean
  #listedAt: Instant | undefined
  #listing: Promise<unknown> | undefined

  constructor(id: CcxtSourceId, exchange: Exchange, converse: Converse) {
    this.#id = id
    this.#exchange = exchange
    this.#converse = converse
    this.#takesUntil = takesUntil(exchange)
  }

  async list(ask: Ask): Promise<ListedMarket[]> {
    const { result, answeredAt } = await this.#converse(ask, () => this.#exchange.fetchMarkets())
    const spot = Object.values(result).flatMap((market) => (market?.spot ? [market] : []))
    if (spot.length === 0) throw new Malformed(`${this.#id} lists no spot market at all`)
    this.#exchange.setMarkets(spot)
    this.#listedAt = answeredAt
    // ccxt normalizes tickers.
    return spot.map(({ symbol, id, base, quote, active, created, info }) => ({
      symbol,
      base,
      quote,
      ...known('kind', kindOf(info)),
      ...(id === symbol ? {} : { alsoCalled: [String(id)] }),
      trading: active !== false,
      ...known('listedAt', Number.isSafeInteger(created) ? toInstant(Number(created)) : undefined),
    }))
  }

  async readCandles(ask: Ask, query: CandleQuery): Promise<CandleRow[]> {
    const { symbol, timeframe, range } = query
    await this.#know(ask, query)
    const { rows, hasList } = await this.#converse(ask, () =>
      this.#exchange.fetchOHLCV(
        symbol,
        timeframe,
        range.from,
        candleCount(range, timeframe),
        this.#until(range),
      ),
    )
    if (rows.length === 0 && !hasList)
      throw new Malformed(`${this.#id} sent an answer without a list of candles`)
    return readCandleRows(this.#id, timeframe, rows, readRow)
  }

  /** The end of the range, for an exchange that can be told of one. */
  #until({ to }: Range): Readonly<{ until?: number }> {
    return this.#takesUntil ? { until: to - 1 } : {}
  }

  /** Throws UnknownMarket. */
  async #know(ask: Ask, { symbol, asOf }: CandleQuery): Promise<void> {
    if (this.#lists(symbol)) return
    if (this.#listedAt === undefined || asOf >= this.#listedAt + listingMs) {
      // Concurrent requests share one listing.
      this.#listing ??= this.list(ask).finally(() => {
        this.#listing = undefined
      })
      await this.#listing
    }
    if (!this.#lists(symbol)) throw new UnknownMarket(`${this.#id} does not list ${symbol}`)
  }

  #lists(symbol: string): boolean {
    return this.#exchange.markets !== undefined && Object.hasOwn(this.#exchange.markets, symbol)
  }
}

/** 13-digit ms reach until 2286. */
const latest = 1e13

function readRow({ raw, read }: HeardRow): CandleRow {
  const [openTime, open, high, low, close, volume] = read
  if (typeof openTime !== 'number' || !Number.isSafeInteger(openTime) || openTime < 0 || openTime >= latest)
    return { raw, flaw: 'the open time is not a time in milliseconds' }
  return readCandle(raw, toInstant(openTime), { open, high, low, close, volume })
}
