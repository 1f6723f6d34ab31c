import { Malformed } from '../../fault.ts'
import type { SendOptions } from '../../http/request.ts'
import { earlier, type Instant, plus, toIso } from '../../market/instant.ts'
import { contains } from '../../market/range.ts'
import { type AlignedInstant, floorTo } from '../../market/timeframe.ts'
import { type CandleProvider, type CandleQuery, type TradeEndpoint, toHttpRequest } from '../source.ts'
import { ofNanoseconds, TradedCandles, type TradeRow, toNanoseconds } from './trades.ts'
import type { WalkDeps, WalkedPage } from './walked-page.ts'

/** A source with trades. */
export type TradeSource = Readonly<{ source: CandleProvider; trades: TradeEndpoint }>

/**
 * Builds candles from trades, page by page. Each request overlaps the last trade, so none is lost; if one instant fills
 * an answer, the source's cursor continues. A page covers complete candles before the last trade. Throws Malformed if
 * the source goes back, jumps or stalls.
 */
export async function* walkTrades(
  deps: WalkDeps,
  from: TradeSource,
  query: CandleQuery,
  options: SendOptions,
): AsyncGenerator<WalkedPage> {
  yield* new TradeWalk(deps, from, query, options).pages()
}

type Answer = Readonly<{
  /** New trades, ascending. */
  fresh: readonly TradeRow[]
  /** May be known already; undefined if empty. */
  last: TradeRow | undefined
  answeredAt: Instant
}>

/** Overlap: trade times have fewer digits than the cursor (0.1 ms in old trades). */
const overlap = 100_000n

/** How far before the requested time a trade may be. */
const tolerance = 1_000_000n

/** A larger difference means another unit. */
const cursorTolerance = 1_000_000_000n

/** More trades in one instant are implausible. */
const mostByCursor = 1_000

class TradeWalk {
  readonly #deps: WalkDeps
  readonly #from: TradeSource
  readonly #query: CandleQuery
  readonly #options: SendOptions
  #since: bigint
  /** Recent trades that may repeat; empty before the first. */
  readonly #known = new Map<string, bigint>()
  #lastId: string | undefined
  /** Consecutive requests by cursor. */
  #byCursor = 0
  #requests = 0

  constructor(deps: WalkDeps, from: TradeSource, query: CandleQuery, options: SendOptions) {
    this.#deps = deps
    this.#from = from
    this.#query = query
    this.#options = options
    const begin = toNanoseconds(query.range.from) - overlap
    this.#since = begin > 0n ? begin : 0n
  }

  async *pages(): AsyncGenerator<WalkedPage> {
    const { range, timeframe } = this.#query
    const candles = new TradedCandles(timeframe)
    let answered: AlignedInstant = range.from
    let answer = await this.#first()
    // A late first trade needs confirmation: a source that ignores the start returns its newest trades.
    let next = this.#beginsLate(answer) ? await this.#next() : undefined
    for (;;) {
      for (const row of answer.fresh) {
        if (contains(range, ofNanoseconds(row.time))) candles.add(row)
      }
      const to = this.#reachOf(answer)
      if (to > answered) {
        const { answeredAt } = answer
        const rows = candles.take(to)
        yield { rows, answered: { from: answered, to }, answeredAt, requests: this.#requests }
        this.#requests = 0
        answered = to
      }
      if (answered >= range.to) return
      answer = next ?? (await this.#next())
      next = undefined
    }
  }

  /** Absence needs confirmation. */
  async #first(): Promise<Answer> {
    const answer = await this.#ask()
    return answer.last ? answer : this.#ask()
  }

  #beginsLate({ fresh: [first] }: Answer): boolean {
    const { range, timeframe } = this.#query
    return first !== undefined && floorTo(timeframe, ofNanoseconds(first.time)) > range.from
  }

  /** End of complete candles; `range.to` without new trades. */
  #reachOf({ fresh, last }: Answer): AlignedInstant {
    const { range, timeframe } = this.#query
    if (fresh.length === 0 || last === undefined) return range.to
    // 1 ms less for rounded times.
    return earlier(floorTo(timeframe, plus(ofNanoseconds(last.time), -1)), range.to)
  }

  async #ask(): Promise<Answer> {
    const { http, baseUrls } = this.#deps
    const { source, trades } = this.#from
    const request = trades.request(this.#query.symbol, this.#since)
    this.#requests += 1
    const { text, answeredAt } = await http.get(toHttpRequest(source, request, baseUrls), this.#options)
    const page = trades.parse(text)
    const rows = page.rows.toSorted(inOrder)
    const fresh = rows.filter(({ id }) => !this.#known.has(id))
    this.#refuseOtherTrades(rows, fresh)
    const last = rows.at(-1)
    if (last) this.#goOn(rows, last, page.cursor)
    return { fresh: unique(fresh), last, answeredAt }
  }

  /** By cursor there is no overlap: an empty answer needs confirmation. */
  async #next(): Promise<Answer> {
    const isByCursor = this.#byCursor > 0
    const answer = await this.#ask()
    return isByCursor && answer.fresh.length === 0 ? this.#ask() : answer
  }

  #refuseOtherTrades(rows: readonly TradeRow[], fresh: readonly TradeRow[]): void {
    const { source, trades } = this.#from
    const at = toIso(ofNanoseconds(this.#since))
    const [first] = rows
    if (first && first.time < this.#since - tolerance)
      throw new Malformed(`${source.id} answered with trades of before ${at}, from where it was asked`)
    if (this.#known.size === 0) return
    if (this.#byCursor > 0) this.#refuseJump(fresh, at)
    else if (fresh.length === rows.length)
      throw new Malformed(`${source.id} left out trades that it had listed, from ${at} on`)
    if (fresh.length === 0 && rows.length >= trades.pageSize)
      throw new Malformed(
        `${source.id} does not go on behind ${at}: every answer holds the same ${rows.length} trades`,
      )
    if (this.#byCursor > mostByCursor)
      throw new Malformed(
        `${source.id} does not go on behind ${at}: ${this.#byCursor} answers are of that moment`,
      )
  }

  /** A cursor equal to the last time would skip trades of that instant. */
  #refuseJump([first]: readonly TradeRow[], at: string): void {
    const { source, trades } = this.#from
    if (!trades.hasConsecutiveIds || first === undefined || this.#lastId === undefined) return
    const expected = BigInt(this.#lastId) + 1n
    if (BigInt(first.id) !== expected)
      throw new Malformed(
        `${source.id} has more trades at ${at} than an answer holds, and its cursor leads past some of them: trade ${expected} is missing`,
      )
  }

  #goOn(rows: readonly TradeRow[], last: TradeRow, cursor: bigint): void {
    const apart = cursor - last.time
    if (apart > cursorTolerance || apart < -cursorTolerance)
      throw new Malformed(`${this.#from.source.id} says to go on elsewhere than at its last trade`)
    const back = (cursor < last.time ? cursor : last.time) - overlap
    for (const { id, time } of rows) this.#known.set(id, time)
    for (const [id, time] of this.#known) if (time < back - tolerance) this.#known.delete(id)
    const again = [...this.#known.values()].filter((time) => time >= back).length
    const isFull = again >= this.#from.trades.pageSize
    this.#byCursor = isFull ? this.#byCursor + 1 : 0
    this.#since = isFull ? cursor : back
    this.#lastId = last.id
  }
}

const inOrder = (a: TradeRow, b: TradeRow): number =>
  compare(a.time, b.time) || compare(BigInt(a.id), BigInt(b.id))

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)

/** Removes duplicates. */
const unique = (rows: readonly TradeRow[]): TradeRow[] => [
  ...new Map(rows.map((row) => [row.id, row])).values(),
]
