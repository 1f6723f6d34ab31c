import { AsyncLocalStorage } from 'node:async_hooks'
import type { Exchange } from 'ccxt'
import { Malformed, Refused } from '../../fault.ts'
import type { Instant } from '../../market/instant.ts'
import type { CcxtSourceId } from '../../settings/source-ids.ts'
import { parseEitherJson } from '../decoding/json.ts'
import type { Ask } from '../source.ts'
import { faultOf } from './faults.ts'
import type { OpenedExchange } from './library.ts'

/** A raw row and ccxt's reading of it. */
export type HeardRow = Readonly<{ raw: unknown; read: readonly unknown[] }>

/** Observed while ccxt answered one call. */
type Heard<T> = Readonly<{
  result: T
  rows: readonly HeardRow[]
  /** Whether the rows' list was in an answer: a missing list reads as empty. */
  hasList: boolean
  answeredAt: Instant | undefined
}>

export type Converse = <T>(ask: Ask, work: () => Promise<T>) => Promise<Heard<T>>

/** Routes ccxt's requests through `ask` and captures rows unfiltered. */
export function bend(id: CcxtSourceId, opened: OpenedExchange): Converse {
  const { exchange } = opened
  const conversations = new AsyncLocalStorage<Conversation>()
  exchange.fetch2 = async (path, api, method, params, headers, body, config) => {
    const conversation = conversations.getStore()
    if (!conversation) throw new Error(`${id} was asked outside of a conversation`)
    const signed = exchange.sign(path, api, method, params ?? {}, headers, body)
    const cost = exchange.calculateRateLimiterCost(api, method, path, params ?? {}, config)
    return conversation.send(signed, Math.max(1, Math.ceil(Number(cost))))
  }
  listenToRows(exchange, conversations)
  return async (ask, work) => {
    const conversation = new Conversation(id, ask)
    try {
      const result = await conversations.run(conversation, work)
      // ccxt may have continued after a failure.
      if (conversation.failure !== undefined) throw conversation.failure
      return { ...conversation.heard(), result }
    } catch (error) {
      if (conversation.failure !== undefined) throw conversation.failure
      throw (
        faultOf(id, opened, error) ?? new Malformed(`ccxt cannot read the answer of ${id}`, { cause: error })
      )
    }
  }
}

/** ccxt would drop early rows, cut and fill. */
function listenToRows(exchange: Exchange, conversations: AsyncLocalStorage<Conversation>): void {
  const parseRow = exchange.parseOHLCV.bind(exchange)
  exchange.parseOHLCV = (raw, market) => {
    const read = parseRow(raw, market)
    conversations.getStore()?.rows.push({ raw, read })
    return read
  }
  const parseRows = exchange.parseOHLCVs.bind(exchange)
  exchange.parseOHLCVs = (list, market, timeframe) => {
    conversations.getStore()?.lists.push(list)
    return parseRows(list, market, timeframe)
  }
  // Some lists are copied or transposed before reading.
  const { toArray } = exchange
  exchange.toArray = (list) => {
    if (Array.isArray(list)) conversations.getStore()?.lists.push(list)
    return toArray(list)
  }
  const turn = exchange.convertTradingViewToOHLCV.bind(exchange)
  exchange.convertTradingViewToOHLCV = (columns, ...names) => {
    conversations.getStore()?.lists.push(columns)
    return turn(columns, ...names)
  }
}

class Conversation {
  readonly rows: HeardRow[] = []
  /** What rows were read from. */
  readonly lists: unknown[] = []
  /** What the first request that failed has failed with. */
  failure: unknown
  readonly #id: CcxtSourceId
  readonly #ask: Ask
  readonly #bodies: unknown[] = []
  #answeredAt: Instant | undefined

  constructor(id: CcxtSourceId, ask: Ask) {
    this.#id = id
    this.#ask = ask
  }

  /** Nothing is sent after a failure. */
  async send(signed: Readonly<Record<string, unknown>>, weight: number): Promise<unknown> {
    if (this.failure !== undefined) throw this.failure
    try {
      const { url, method } = signed
      if (method !== 'GET')
        throw new Refused(`${this.#id} wants to be asked with ${method}; only GET is spoken here`)
      const { origin, pathname, searchParams } = new URL(String(url))
      const query = Object.fromEntries(searchParams)
      const answer = await this.#ask({ host: origin, path: pathname, query, weight })
      this.#answeredAt = answer.answeredAt
      const body = parseEitherJson(this.#id, answer.text)
      this.#bodies.push(body)
      return body
    } catch (error) {
      this.failure ??= error
      throw error
    }
  }

  heard() {
    const { rows, lists } = this
    const hasList = this.#bodies.some((body) => lists.some((list) => holds(body, list)))
    return { rows, hasList, answeredAt: this.#answeredAt }
  }
}

/** Whether the object itself is part of the body. */
function holds(body: unknown, thing: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false
  return body === thing || Object.values(body).some((part) => holds(part, thing))
}
