import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault, Malformed } from '../../src/fault.ts'
import { checkPrices } from '../../src/market/coin-price-check.ts'
import { hour } from '../../src/market/instant.ts'
import { candleAround } from '../../src/market/range.ts'
import { type Timeframe, timeframes } from '../../src/market/timeframe.ts'
import { sourceIds } from '../../src/settings/source-ids.ts'
import { sources } from '../../src/sources/catalog.ts'
import { type Source, type SourceRequest, toHttpRequest } from '../../src/sources/source.ts'
import { anAnswer, at, type Contract } from './recorded.ts'
import { recordings } from './recordings.ts'

/** Bodies that no endpoint of ours ever answers. */
const otherShapes = [
  '',
  '<html><body>Just a moment…</body></html>',
  '{"message":"maintenance"}',
  'null',
  '42',
  '"text"',
  '\u0000',
]

function expectContract(
  request: SourceRequest,
  { path, required, allowed }: Contract,
  pointsOfTheLimit: number,
) {
  const names = Object.keys(request.query)
  expect(request.path).toEqual(typeof path === 'string' ? path : expect.stringMatching(path))
  expect(names).toEqual(expect.arrayContaining([...required]))
  expect([...required, ...allowed]).toEqual(expect.arrayContaining(names))
  expect(Object.values(request.query).every((value) => value !== '')).toBe(true)
  expect(Number.isInteger(request.weight) && request.weight > 0).toBe(true)
  expect(request.weight).toBeLessThan(pointsOfTheLimit)
}

/** A request must fit into each of the limits. */
const mostPoints = ({ rateLimits }: Source): number => Math.min(...rateLimits.map(({ points }) => points))

/** Cuts a body everywhere, or at a thousand places when it is long. */
const cuts = (body: string): string[] => {
  const step = Math.max(1, Math.floor(body.length / 1_000))
  const ends = Array.from({ length: Math.ceil(body.length / step) }, (_, index) => index * step)
  return ends.map((end) => body.slice(0, end))
}

const answeredAt = at('2024-03-01T12:00Z')

test('every source has its recorded bodies', () => {
  expect(Object.keys(recordings).toSorted()).toEqual([...sourceIds].toSorted())
})

describe.each(sourceIds)('%s', (id) => {
  const source = sources[id]
  const recording = recordings[id]
  if (!recording) throw new Error(`${id} has no recorded bodies`)

  test('is known by its own id, on an https host, with a limit', () => {
    expect(source.id).toBe(id)
    for (const host of source.hosts) expect(host).toMatch(/^https:\/\/[a-z0-9.-]+$/)
    for (const { points, perMs } of source.rateLimits) {
      expect(points).toBeGreaterThan(0)
      expect(perMs).toBeGreaterThan(0)
    }
  })

  test('has recordings for just what it offers', () => {
    for (const endpoint of ['candles', 'listing', 'prices'] as const) {
      expect([endpoint, recording[endpoint] !== undefined]).toEqual([
        endpoint,
        source[endpoint] !== undefined,
      ])
    }
  })

  test('is asked at its own host, or at the one that replaces it', () => {
    const request = { path: '/x', query: { a: '1' }, weight: 3 }
    const { hosts, rateLimits } = source
    expect(toHttpRequest(source, request, {})).toMatchObject({
      source: id,
      baseUrl: hosts[0],
      rateLimits,
      ...request,
    })
    expect(toHttpRequest(source, request, { [id]: 'http://mirror', other: 'http://x' }).baseUrl).toBe(
      'http://mirror',
    )
  })

  test('finds nothing wrong with a good answer', () => {
    for (const endpoint of [recording.candles, recording.listing, recording.prices]) {
      if (endpoint) expect(source.classify(anAnswer(200, endpoint.body))).toBeUndefined()
    }
  })

  test('never fails on an error body, and says nothing but a fault about it', () => {
    for (const body of [...recording.errors, ...otherShapes]) {
      for (const status of [200, 400, 403, 404, 418, 429, 500]) {
        const said = sayingOf(() => source.classify(anAnswer(status, body)))
        expect(said === undefined || said instanceof Fault).toBe(true)
      }
    }
  })

  describe.runIf(recording.candles && source.candles)('candles', () => {
    const { candles } = source
    const known = recording.candles
    if (!candles || !known) return
    const askingFor = (timeframe: Timeframe) => {
      const range = candleAround(timeframe, known.query.range.from)
      return { ...known.query, timeframe, range }
    }

    test('a recorded body becomes its rows, digit for digit', () => {
      const rows = candles.parse(known.body, known.query)
      expect(rows).toHaveLength(known.rows)
      const [first] = rows
      expect(first && 'candle' in first ? first.candle : first).toEqual(known.first)
      const reported = rows.filter((row) => !('quiet' in row))
      expect(rows.length - reported.length).toBe(known.quiet ?? 0)
      for (const row of reported) {
        expect(row).toHaveProperty('candle')
        for (const value of 'candle' in row ? Object.values(row.candle).slice(1) : []) {
          expect(known.body).toContain(value)
        }
      }
    })

    test('no candles are no rows', () => {
      expect(candles.parse(known.empty ?? '[]', known.query)).toEqual([])
    })

    test.each([...otherShapes, ...recording.errors])('refuses a body of another shape: %j', (body) => {
      expect(() => candles.parse(body, known.query)).toThrow(Malformed)
    })

    test('refuses a body that is cut, wherever', () => {
      for (const body of cuts(known.body)) expect(() => candles.parse(body, known.query)).toThrow(Malformed)
    })

    test('refuses any other JSON with a fault, or finds flaws in it, but never invents a candle', () => {
      fc.assert(
        fc.property(fc.json(), (body) => {
          const rows = sayingOf(() => candles.parse(body, known.query))
          if (rows instanceof Malformed) return
          expect(Array.isArray(rows) && rows.every((row) => 'flaw' in row)).toBe(true)
        }),
      )
    })

    test('a request asks what the contract knows, and at most a page', () => {
      for (const timeframe of candles.timeframes) {
        const request = candles.request(askingFor(timeframe))
        expectContract(request, known.contract, mostPoints(source))
        expect(request.weight).toBe(candles.weight)
      }
      // The one that still runs may come with them.
      expect(known.rows).toBeLessThanOrEqual(candles.pageSize + 1)
    })

    test('only timeframes we know are offered, each asked for in another way', () => {
      expect(timeframes).toEqual(expect.arrayContaining([...candles.timeframes]))
      const asked = candles.timeframes.map((timeframe) =>
        JSON.stringify(candles.request(askingFor(timeframe))),
      )
      expect(new Set(asked).size).toBe(candles.timeframes.length)
    })
  })

  describe.runIf(recording.listing && source.listing)('listing', () => {
    const { listing } = source
    const known = recording.listing
    if (!listing || !known) return

    test('a recorded body becomes its markets', () => {
      const markets = listing.parse(known.body)
      expect(markets).toHaveLength(known.rows)
      expect(markets.map(({ symbol }) => symbol)).toEqual(expect.arrayContaining([...known.markets]))
    })

    test.each([...otherShapes, ...recording.errors])('refuses a body of another shape: %j', (body) => {
      expect(() => listing.parse(body)).toThrow(Malformed)
    })

    test('refuses a body that is cut, wherever', () => {
      for (const body of cuts(known.body)) expect(() => listing.parse(body)).toThrow(Malformed)
    })

    test('a request asks what the contract knows', () => {
      expectContract(listing.request(), known.contract, mostPoints(source))
    })
  })

  describe.runIf(recording.prices && source.prices)('prices', () => {
    const { prices } = source
    const known = recording.prices
    if (!prices || !known) return

    test('a recorded body becomes its rows, digit for digit', () => {
      const rows = prices.parse(known.body, answeredAt, known.markets)
      expect(rows).toHaveLength(known.rows)
      expect(rows.every((row) => 'price' in row)).toBe(true)
      expect(rows[0]).toHaveProperty('price', expect.objectContaining(known.first))
    })

    test.each([...otherShapes, ...recording.errors])('refuses a body of another shape: %j', (body) => {
      expect(() => prices.parse(body, answeredAt, known.markets)).toThrow(Malformed)
    })

    test('refuses a body that is cut, wherever', () => {
      for (const body of cuts(known.body))
        expect(() => prices.parse(body, answeredAt, known.markets)).toThrow(Malformed)
    })

    test('refuses any other JSON with a fault, or finds flaws in it, but never invents a price', () => {
      fc.assert(
        fc.property(fc.json(), (body) => {
          const rows = sayingOf(() => prices.parse(body, answeredAt, known.markets))
          if (rows instanceof Malformed) return
          const checked = checkPrices(Array.isArray(rows) ? rows : [], {
            now: answeredAt,
            staleAfterMs: hour,
          })
          expect(checked.filter(({ kind }) => kind === 'accepted')).toEqual([])
        }),
      )
    })

    test('a request asks what the contract knows', () => {
      expectContract(prices.request(known.markets), known.contract, mostPoints(source))
    })
  })
})

/** What the work returns or throws; the fault is the answer here. */
function sayingOf(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}
