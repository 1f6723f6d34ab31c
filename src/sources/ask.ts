import type { HttpAnswer, HttpClient, SendOptions } from '../http/request.ts'
import { type Instant, toInstant } from '../market/instant.ts'
import { inSpan } from '../runtime/trace.ts'
import { completeListing } from './listing/complete-listing.ts'
import type { ListedMarket } from './listing/listed-market.ts'
import {
  type AnswerRow,
  type Ask,
  type CandleProvider,
  type CandleQuery,
  type ConversingSource,
  type Source,
  type SourceRequest,
  toHttpRequest,
} from './source.ts'

export type AskDeps = Readonly<{ http: HttpClient; baseUrls: Readonly<Record<string, string>> }>

export type CandleAnswer = Readonly<{
  rows: readonly AnswerRow[]
  answeredAt: Instant
  requests: number
}>

/** A window of candles, over one or more requests. */
export async function askForCandles(
  deps: AskDeps,
  source: CandleProvider,
  query: CandleQuery,
  options: SendOptions,
): Promise<CandleAnswer> {
  let answeredAt = query.asOf
  let requests = 0
  const ask = async (request: SourceRequest): Promise<HttpAnswer> => {
    requests += 1
    const answer = await send(deps, source, request, options)
    answeredAt = answer.answeredAt
    return answer
  }
  const rows = await readCandles(source, ask, query)
  return { rows, answeredAt, requests }
}

async function readCandles({ candles }: CandleProvider, ask: Ask, query: CandleQuery): Promise<AnswerRow[]> {
  if ('converse' in candles) return candles.converse(ask, query)
  const answer = await ask(candles.request(query))
  return inSpan('parse', { attributes: { 'beacon.market': query.symbol } }, (annotate) => {
    const rows = candles.parse(answer.text, query)
    annotate({ 'beacon.rows': rows.length })
    return rows
  })
}

export type ListingSource = Source | ConversingSource

export async function askForListing(
  deps: AskDeps,
  source: ListingSource,
  options: SendOptions,
): Promise<ListedMarket[] | undefined> {
  const { listing } = source
  if (listing === undefined) return undefined
  let answeredAt = toInstant(0)
  const ask: Ask = async (request) => {
    const answer = await send(deps, source, request, options)
    answeredAt = answer.answeredAt
    return answer
  }
  const markets =
    'converse' in listing ? await listing.converse(ask) : listing.parse((await ask(listing.request())).text)
  return completeListing(markets, answeredAt)
}

const send = (
  { http, baseUrls }: AskDeps,
  source: ListingSource,
  request: SourceRequest,
  options: SendOptions,
): Promise<HttpAnswer> => http.get(toHttpRequest(source, request, baseUrls), options)
