import { describe, expect, test } from 'vitest'
import { type BackfillChunk, chunksOf, jobPlanOf } from '../../src/ingest/backfill/plan.ts'
import { later, minute } from '../../src/market/instant.ts'
import { ceilTo, floorTo, type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import { endpoints } from '../../src/replay/endpoints.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { hasCandles, sources } from '../../src/sources/catalog.ts'
import { type CandleSource, candlesPerPage, reachableFrom, toHttpRequest } from '../../src/sources/source.ts'
import { walkCandles } from '../../src/sources/walk.ts'
import { halfPast } from '../replay/playing.ts'
import { clientOf } from '../replay/walking.ts'
import { at } from '../store/loading.ts'
import { plus } from '../support/at.ts'

const candleSources = Object.values(sources).filter(hasCandles)

const endpointOf = ({ id }: CandleSource) =>
  endpoints.find(({ source }) => source === id) ?? expect.fail(`no face speaks as ${id}`)

/** How the source spells the market of bitcoin that is replayed. */
async function bitcoinOn(source: CandleSource): Promise<string> {
  const { http } = clientOf(endpointOf(source), halfPast)
  const { request, parse } = source.listing ?? expect.fail(`${source.id} lists no markets`)
  const { text } = await http.get(toHttpRequest(source, request(), {}), sending)
  const listed = parse(text).find(({ base, quote }) => base === 'BTC' && quote === 'USDT')
  return listed?.symbol ?? expect.fail(`${source.id} lists no bitcoin`)
}

const sending = { lane: 'backfill', signal: new AbortController().signal } as const

/** What asking for the jobs really takes: the requests and their weight. */
async function walked(source: CandleSource, chunks: readonly BackfillChunk[]) {
  const { http } = clientOf(endpointOf(source), halfPast)
  let requests = 0
  let weight = 0
  const weighed: typeof http = {
    get: (request, options) => {
      requests += 1
      weight += request.weight
      return http.get(request, options)
    },
  }
  for (const { symbol, timeframe, from, to } of chunks) {
    const query = { symbol, timeframe, range: { from: at(from), to: at(to) }, asOf: halfPast }
    for await (const page of walkCandles({ http: weighed, baseUrls: {} }, source, query, sending))
      expect(page.answered.to).toBeLessThanOrEqual(query.range.to)
  }
  return { requests, weight }
}

function planned(chunks: readonly BackfillChunk[]) {
  const plans = chunks.map((chunk) => jobPlanOf(chunk, halfPast))
  return {
    requests: plans.reduce((sum, { requests }) => sum + requests, 0),
    weight: plans.reduce((sum, { weight }) => sum + weight, 0),
    isEstimate: plans.some(({ isEstimate }) => isEstimate),
  }
}

/** The jobs of three pages and a piece, two pages each, as far as the source and the replay reach. */
async function someJobs(source: CandleSource, timeframe: Timeframe): Promise<BackfillChunk[]> {
  const perPage = candlesPerPage(source.candles, timeframe)
  const length = timeframeMs[timeframe]
  const to = floorTo(timeframe, plus(halfPast, -minute))
  const wished = plus(to, -Math.ceil(3.2 * perPage) * length)
  // A little within its reach, since work may have to wait.
  const deps = reachableFrom(source.candles, timeframe, plus(halfPast, 10 * minute))
  const from = [deps, ceilTo(timeframe, listedAt)].reduce(later, wished)
  const series = { coinId: 'bitcoin', timeframe, source: source.id } as const
  const work = { series, symbol: await bitcoinOn(source), missing: [{ from, to }], candlesFrom: deps }
  return chunksOf(work, 2 * perPage, 'from-start')
}

/** Two that most sources have, and those that are made of shorter ones. */
const tested = ({ candles }: CandleSource): Timeframe[] =>
  candles.timeframes.filter(
    (timeframe) => candles.madeFrom?.[timeframe] !== undefined || ['1m', '1h'].includes(timeframe),
  )

describe.each(candleSources)('$id', (source) => {
  test.each(tested(source))('%s takes the requests that are planned', async (timeframe) => {
    const chunks = await someJobs(source, timeframe)
    const plan = planned(chunks)
    expect(plan).toEqual({ ...(await walked(source, chunks)), isEstimate: false })
    expect(plan.requests).toBeGreaterThan(0)
  })
})
