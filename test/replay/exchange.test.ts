import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Fault, Malformed, Misconfigured, RateLimited } from '../../src/fault.ts'
import { unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import type { HttpAnswer } from '../../src/http/request.ts'
import type { Candle, CandleRow } from '../../src/market/candle.ts'
import { compareDecimals } from '../../src/market/decimal.ts'
import { day, hour, minute } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { closedCandles } from '../../src/replay/candles.ts'
import type { Endpoint } from '../../src/replay/endpoint.ts'
import { endpoints } from '../../src/replay/endpoints.ts'
import type { InjectedFault } from '../../src/replay/faults/injected-fault.ts'
import { inTurn, usualFaults } from '../../src/replay/faults/usual-faults.ts'
import { sourceIds } from '../../src/settings/source-ids.ts'
import { hasCandles, sources } from '../../src/sources/catalog.ts'
import {
  type CandleQuery,
  type CandleSource,
  type SourceRequest,
  toHttpRequest,
} from '../../src/sources/source.ts'
import { walkCandles } from '../../src/sources/walk.ts'
import { readText } from '../ground/project.ts'
import { plus } from '../support/at.ts'
import { halfPast, type Playing, play, StandingClock } from './playing.ts'

test('speaks as every source', () => {
  expect(endpoints.map(({ source }) => source)).toEqual([...sourceIds])
})

test('lies in turn, about every so manieth request', async () => {
  await using exchange = await play({ faults: inTurn(['html', 'firewall'], 2) })
  const statuses: string[] = []
  for (let asked = 0; asked < 8; asked++) {
    const { status, headers } = await exchange.binance('ping')
    statuses.push(`${status} ${headers.get('content-type')?.split(';')[0]}`)
  }
  const truth = '200 application/json'
  const faults = [truth, '200 text/html', truth, '403 text/html']
  expect(statuses).toEqual([...faults, ...faults])
})

test('its page names every lie that needs no more than its name', () => {
  const page = readText('docs/replay.md')
  expect(Object.keys(usualFaults).filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})

test('listens on consecutive ports, for the sources that are wanted', async () => {
  const wanted = endpoints.slice(0, 2)
  await using exchange = await playInARow(wanted)
  const [first = 0] = [...exchange.urls.values()].map((url) => Number(new URL(url).port))
  expect([...exchange.urls]).toEqual(
    wanted.map(({ source }, index) => [source, `http://127.0.0.1:${first + index}`]),
  )
})

/** On ports that are next to one that was free, as soon as nobody else has them. */
async function playInARow(wanted: readonly Endpoint[]): Promise<Playing> {
  for (;;) {
    await using neighbour = await play({ endpoints: wanted.slice(0, 1) })
    const [url = ''] = neighbour.urls.values()
    try {
      return await play({ endpoints: wanted, port: Number(new URL(url).port) + 1 })
    } catch (error) {
      if (!(error instanceof Misconfigured)) throw error
    }
  }
}

const signal = new AbortController().signal

const http = openHttpClient({
  clock: new StandingClock(halfPast),
  budget: unlimitedBudget,
  timeoutMs: 20_000,
  maxBodyBytes: 20_000_000,
})
afterAll(() => http.close())

function get(exchange: Playing, { source: id }: Endpoint, request: SourceRequest): Promise<HttpAnswer> {
  const baseUrls = Object.fromEntries(exchange.urls)
  return http.get(toHttpRequest(sources[id], request, baseUrls), { lane: 'live', signal })
}

/** Bitcoin in the source's own spelling. */
async function bitcoinOf(exchange: Playing, endpoint: Endpoint): Promise<string> {
  const { listing } = sources[endpoint.source]
  // A source of prices alone goes by the names of coins.
  if (!listing) return endpoint.source === 'coingecko' ? 'bitcoin' : 'btc-bitcoin'
  const markets = listing.parse((await get(exchange, endpoint, listing.request())).text)
  const found = markets.find(({ base, quote }) => base === 'BTC' && quote === 'USDT')
  if (!found) throw new Error(`${endpoint.source} does not list bitcoin`)
  return found.symbol
}

/** The five newest hours that are closed. */
const fiveHours = (symbol: string): CandleQuery => ({
  symbol,
  timeframe: '1h',
  range: { from: plus(floorTo('1h', halfPast), -5 * hour), to: floorTo('1h', halfPast) },
  asOf: halfPast,
})

/** Something that every source can be asked. */
function request({ source: id }: Endpoint, symbol: string): SourceRequest {
  const { candles, prices } = sources[id]
  const asked = candles?.request(fiveHours(symbol)) ?? prices?.request([symbol])
  if (!asked) throw new Error(`${id} can be asked nothing`)
  return asked
}

/** All but those that have nothing but files. */
const answering = endpoints.filter(({ source }) => source !== 'binance-archive')

describe.each(answering.map((endpoint) => [endpoint.source, endpoint] as const))('%s', (id, endpoint) => {
  const source = sources[id]
  let exchange: Playing
  let bitcoin: string
  let asked: SourceRequest
  beforeAll(async () => {
    exchange = await play({ endpoints: [endpoint], limits: 'none' })
    bitcoin = await bitcoinOf(exchange, endpoint)
    asked = request(endpoint, bitcoin)
  })
  afterAll(() => exchange.close())

  test('answers a path that there is not with a refusal that its source understands', async () => {
    const nowhere = get(exchange, endpoint, { path: '/there/is/nothing', query: {}, weight: 1 })
    await expect(nowhere).rejects.toThrow(Fault)
    await expect(nowhere).rejects.not.toThrow(RateLimited)
  })

  test('says what time it is, and that it sends JSON', async () => {
    const { headers, answeredAt } = await get(exchange, endpoint, asked)
    expect(headers['content-type']).toMatch(/^application\/json\b/)
    expect(answeredAt).toBe(halfPast)
  })

  test('tells what is used wherever its source looks for it', async () => {
    await using fresh = await play({ endpoints: [endpoint] })
    const { headers } = await get(fresh, endpoint, asked)
    const reported = source.rateLimits.flatMap(({ usedHeader = [] }) => usedHeader)
    expect(reported.filter((name) => !(Number(headers[name]) > 0))).toEqual([])
  })

  test('allows what its source counts on', () => {
    for (const window of endpoint.limit.windows) {
      const spent = source.rateLimits.map(({ points, perMs }) => (points * window.perMs) / perMs)
      expect(Math.min(...spent)).toBeLessThanOrEqual(window.points)
    }
  })

  test('refuses what goes beyond its limit, and tells its source how long to wait', async () => {
    const query = new URLSearchParams(asked.query)
    const { weight } = endpoint.route(asked.path, query, halfPast, endpoint.limit)
    const windows = endpoint.limit.windows.map((window) => ({ ...window, points: 2 * weight }))
    await using limited = await play({
      endpoints: [endpoint],
      limits: { [id]: { ...endpoint.limit, windows } },
    })
    await get(limited, endpoint, asked)
    await get(limited, endpoint, asked)
    const expectedFault = await get(limited, endpoint, asked).catch((error: unknown) => error)
    if (!(expectedFault instanceof RateLimited)) throw new Error('not told to wait', { cause: expectedFault })
    const longest = Math.max(minute, endpoint.limit.ban?.ms ?? 0, ...windows.map(({ perMs }) => perMs))
    expect(expectedFault.waitMs).toBeLessThanOrEqual(longest)
    limited.clock.move(expectedFault.waitMs)
    await get(limited, endpoint, asked)
  })

  test.each([500, 503] as const)('says with HTTP %i that it is out of order', async (status) => {
    const faults = [{ when: 'always', fault: { name: 'server-error', status } }] as const
    await using broken = await play({ endpoints: [endpoint], faults })
    await expect(get(broken, endpoint, asked)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  if (!hasCandles(source)) return

  test('serves through its source the candles that it plays', async () => {
    const range = { from: plus(floorTo('1d', halfPast), -3 * day), to: floorTo('1d', halfPast) }
    const query: CandleQuery = { symbol: bitcoin, timeframe: '1h', range, asOf: halfPast }
    const deps = { http, baseUrls: Object.fromEntries(exchange.urls) }
    const rows: Candle[] = []
    for await (const page of walkCandles(deps, source, query, { lane: 'live', signal }))
      rows.push(...candlesIn(page.rows, query))
    const closed = closedCandles('BTCUSDT', '1h', range, halfPast)
    expect(rows.map(numbers)).toEqual(closed.map(numbers))
  })

  describe('faults', () => {
    const ask = async (fault: InjectedFault) => {
      const truth = await get(exchange, endpoint, asked)
      exchange.setFaults([{ when: 'always', fault }])
      const reported = await get(exchange, endpoint, asked)
      exchange.setFaults([])
      const read = (answer: HttpAnswer) => readCandles(source, answer.text, fiveHours(bitcoin))
      return { reported: read(reported), truth: read(truth) }
    }
    test('by a candle twice, with another close too', async () => {
      const same = await ask(usualFaults['duplicate-row'])
      expect(times(same.reported)).toHaveLength(same.truth.length + 1)
      expect(new Set(times(same.reported))).toEqual(new Set(times(same.truth)))
      const other = await ask(usualFaults['conflicting-duplicate'])
      expect(new Set(times(other.reported))).toEqual(new Set(times(other.truth)))
      expect(new Set(other.reported.map(numbers)).size).toBe(other.truth.length + 1)
    })

    test('by another order, a candle less and a candle more', async () => {
      const turned = await ask(usualFaults.disorder)
      expect(times(turned.reported)).toEqual(times(turned.truth).toReversed())
      const short = await ask(usualFaults['one-row-short'])
      expect(short.reported).toEqual(short.truth.slice(0, -1))
      const more = await ask(usualFaults['one-row-more'])
      expect(Math.min(...times(more.reported))).toBe(Math.min(...times(more.truth)) - hour)
    })

    test('by candles that have not closed or not begun', async () => {
      const open = await ask(usualFaults['open-candle'])
      expect(Math.max(...times(open.reported))).toBe(floorTo('1h', halfPast))
      const future = await ask(usualFaults['future-candle'])
      expect(Math.max(...times(future.reported))).toBeGreaterThan(halfPast)
    })

    test('by a high below the low', async () => {
      const { reported } = await ask(usualFaults['high-below-low'])
      expect(reported.filter(({ high, low }) => compareDecimals(high, low) < 0)).toHaveLength(1)
    })

    test.each(['unaligned-time', 'seconds-for-milliseconds'] as const)('by times: %s', async (name) => {
      const query = fiveHours(bitcoin)
      const truth = new Set<number>(
        times(readCandles(source, (await get(exchange, endpoint, asked)).text, query)),
      )
      exchange.setFaults([{ when: 'always', fault: usualFaults[name] }])
      const { text } = await get(exchange, endpoint, asked)
      exchange.setFaults([])
      const trusted = timesIfAny(source, text, query).filter((openTime) => truth.has(openTime))
      expect(trusted.length).toBeLessThan(name === 'unaligned-time' ? truth.size : 1)
    })
  })
})

const numbers = ({ openTime, open, high, low, close, volume }: Candle): string =>
  [openTime, ...[open, high, low, close, volume].map(Number)].join(' ')

const candlesIn = (rows: readonly CandleRow[], { range }: CandleQuery): Candle[] =>
  rows
    .flatMap((row) => ('candle' in row ? [row.candle] : []))
    .filter(({ openTime }) => openTime >= range.from && openTime < range.to)
    .toSorted((a, b) => a.openTime - b.openTime)

/** The candles of an answer as they stand in it. */
const readCandles = ({ candles }: CandleSource, text: string, query: CandleQuery): Candle[] =>
  candles.parse(text, query).flatMap((row) => ('candle' in row ? [row.candle] : []))

const times = (rows: readonly Candle[]) => rows.map(({ openTime }) => openTime)

/** None where the answer as a whole is not believed. */
function timesIfAny(source: CandleSource, text: string, query: CandleQuery): number[] {
  try {
    return times(readCandles(source, text, query))
  } catch (error) {
    if (error instanceof Malformed) return []
    throw error
  }
}
