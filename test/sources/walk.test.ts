import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Malformed, Unavailable } from '../../src/fault.ts'
import type { HttpClient, HttpRequest, SendOptions } from '../../src/http/request.ts'
import { type Instant, minute, plus } from '../../src/market/instant.ts'
import { candleCount, type Range, union } from '../../src/market/range.ts'
import { binance } from '../../src/sources/binance.ts'
import type { CandleSource } from '../../src/sources/source.ts'
import { type WalkedPage, walkCandles } from '../../src/sources/walk.ts'
import { at } from './recorded.ts'

const from = at('2024-03-01T12:00Z')
const options: SendOptions = { lane: 'backfill', signal: new AbortController().signal }

/** Binance with pages of ten candles, so that a walk of some pages can be read. */
const pageSize = 10
const source: CandleSource = { ...binance, candles: { ...binance.candles, pageSize } }

/** So many minutes from the beginning. */
const minutes = (first: number, end: number): Range => ({
  from: plus(from, first * minute),
  to: plus(from, end * minute),
})
const minuteOf = (instant: number): number => (instant - from) / minute
const every = (first: number, end: number): number[] =>
  Array.from({ length: end - first }, (_, index) => first + index)

type Bounds = Readonly<{ startTime: number; endTime: number }>
/** Which of its minutes a source answers with. */
type Behaviour = (has: readonly number[], asked: Bounds) => readonly number[]

const honest: Behaviour = (has, { startTime, endTime }) =>
  has.filter((open) => open >= startTime && open <= endTime).slice(0, pageSize)

const newestBeforeEnd: Behaviour = (has, { endTime }) =>
  has.filter((open) => open <= endTime).slice(-pageSize)

/** A source in memory, which has some minutes and answers in its own way. */
class MemorySource implements HttpClient {
  readonly requests: [from: number, to: number][] = []
  readonly #has: readonly number[]
  readonly #behave: Behaviour

  constructor(has: readonly number[], behave: Behaviour = honest) {
    this.#has = has
    this.#behave = behave
  }

  async get({ query }: HttpRequest, sent: SendOptions) {
    expect(sent).toBe(options)
    const asked = { startTime: minuteOf(Number(query.startTime)), endTime: minuteOf(Number(query.endTime)) }
    this.requests.push([asked.startTime, Math.ceil(asked.endTime)])
    const rows = this.#behave(this.#has, asked).map((open) => {
      const openTime = from + open * minute
      return [openTime, '1', '1', '1', '1', '1', openTime + minute - 1]
    })
    return { status: 200, headers: {}, text: JSON.stringify(rows), answeredAt: plus(from, 1_000 * minute) }
  }
}

type Walking = Readonly<{
  from?: CandleSource
  baseUrls?: Readonly<Record<string, string>>
  /** Where the pages go as they come: a walk may fail after some. */
  pages?: WalkedPage[]
}>

async function walk(
  http: HttpClient,
  range: Range,
  { from: asked = source, baseUrls = {}, pages = [] }: Walking = {},
): Promise<WalkedPage[]> {
  const query = { symbol: 'BTCUSDT', timeframe: '1m' as const, range, asOf: plus(from, 1_000 * minute) }
  for await (const page of walkCandles({ http, baseUrls }, asked, query, options)) pages.push(page)
  return pages
}

const openTimeOf = (row: WalkedPage['rows'][number]): Instant | undefined =>
  'candle' in row ? row.candle.openTime : row.openTime

/** The minutes that came inside what their page speaks for. */
const received = (pages: readonly WalkedPage[]): number[] =>
  pages.flatMap(({ rows, answered }) =>
    rows
      .flatMap((row) => openTimeOf(row) ?? [])
      .filter((openTime) => openTime >= answered.from && openTime < answered.to)
      .map(minuteOf),
  )

/** The minutes that the walk calls missing at the source. */
function absent(pages: readonly WalkedPage[]): number[] {
  const came = new Set(received(pages))
  const answered = pages.flatMap(({ answered: { from: first, to } }) => every(minuteOf(first), minuteOf(to)))
  return answered.filter((open) => !came.has(open))
}

const answeredRanges = (pages: readonly WalkedPage[]): [number, number][] =>
  pages.map(({ answered }) => [minuteOf(answered.from), minuteOf(answered.to)])

describe('a walk', () => {
  test('goes forward, page by page, and asks for nothing twice', async () => {
    const http = new MemorySource(every(0, 100))
    const pages = await walk(http, minutes(0, 25))
    expect(http.requests).toEqual([
      [0, 10],
      [10, 20],
      [20, 25],
    ])
    expect(answeredRanges(pages)).toEqual(http.requests)
    expect(received(pages)).toEqual(every(0, 25))
    expect(pages[0]?.answeredAt).toBe(plus(from, 1_000 * minute))
  })

  test('through an empty range asks for nothing', async () => {
    const http = new MemorySource(every(0, 100))
    expect(await walk(http, minutes(5, 5))).toEqual([])
    expect(http.requests).toEqual([])
  })

  test('finds a hole in the middle of a page at once', async () => {
    const http = new MemorySource([...every(0, 3), ...every(6, 20)])
    const pages = await walk(http, minutes(0, 10))
    expect(absent(pages)).toEqual([3, 4, 5])
    expect(http.requests).toHaveLength(1)
  })

  test('does not believe a short page to be the end: what follows is asked for again', async () => {
    const http = new MemorySource(every(0, 100), (has, asked) => honest(has, asked).slice(0, 4))
    const pages = await walk(http, minutes(0, 10))
    expect(http.requests).toEqual([
      [0, 10],
      [4, 10],
      [8, 10],
    ])
    expect([received(pages), absent(pages)]).toEqual([every(0, 10), []])
  })

  test('makes a hole at the end only of an empty answer to just that', async () => {
    const http = new MemorySource(every(0, 7))
    const pages = await walk(http, minutes(0, 10))
    expect(answeredRanges(pages)).toEqual([
      [0, 7],
      [7, 10],
    ])
    expect(absent(pages)).toEqual([7, 8, 9])
  })

  test('after an empty page asks for the whole rest at once: the years before a listing cost little', async () => {
    const http = new MemorySource(every(500, 600))
    const pages = await walk(http, minutes(0, 520))
    expect(http.requests.length).toBeLessThanOrEqual(5)
    expect([received(pages), absent(pages)]).toEqual([every(500, 520), every(0, 500)])
  })

  test('of a market that is not listed any more ends with the second empty answer', async () => {
    const http = new MemorySource([])
    const pages = await walk(http, minutes(0, 900))
    expect(http.requests).toHaveLength(2)
    expect(absent(pages)).toEqual(every(0, 900))
  })

  test('does not believe one empty answer: the second one to the same question tells', async () => {
    let answers = 0
    const http = new MemorySource(every(0, 100), (has, asked) => {
      answers += 1
      return answers === 2 ? [] : honest(has, asked)
    })
    const pages = await walk(http, minutes(0, 40))
    expect([received(pages), absent(pages)]).toEqual([every(0, 40), []])
  })

  test('says with each page how many requests it took', async () => {
    const http = new MemorySource([...every(0, 14), ...every(60, 100)])
    const pages = await walk(http, minutes(0, 100))
    expect(pages.reduce((sum, { requests }) => sum + requests, 0)).toBe(http.requests.length)
    expect(pages[0]?.requests).toBe(1)
  })

  test('leaves what comes from outside its range to whoever checks the rows', async () => {
    const http = new MemorySource(every(-5, 100), (has, asked) => [-5, ...honest(has, asked), 50])
    const pages = await walk(http, minutes(0, 10))
    expect([received(pages), absent(pages)]).toEqual([every(0, 10), []])
  })

  test('does not mind the order of the rows', async () => {
    const http = new MemorySource(every(0, 100), (has, asked) => honest(has, asked).toReversed())
    const pages = await walk(http, minutes(0, 20))
    expect(http.requests).toHaveLength(2)
    expect(received(pages).toSorted((a, b) => a - b)).toEqual(every(0, 20))
  })

  test('counts a flawed row as answered', async () => {
    const parse: CandleSource['candles']['parse'] = (text, query) =>
      binance.candles.parse(text, query).map((row) => ({
        raw: row.raw,
        flaw: 'broken',
        ...('candle' in row ? { openTime: row.candle.openTime } : {}),
      }))
    const flawed = { ...source, candles: { ...source.candles, parse } }
    const http = new MemorySource(every(0, 10))
    const pages = await walk(http, minutes(0, 10), { from: flawed })
    expect(answeredRanges(pages)).toEqual([[0, 10]])
  })

  test('ends where an answer fails, after the pages that came', async () => {
    const fine = new MemorySource(every(0, 100))
    const http: HttpClient = {
      get: (request, sent) =>
        fine.requests.length < 2 ? fine.get(request, sent) : Promise.reject(new Unavailable('down')),
    }
    const pages: WalkedPage[] = []
    await expect(walk(http, minutes(0, 50), { pages })).rejects.toThrow(Unavailable)
    expect(received(pages)).toEqual(every(0, 20))
  })

  test('asks the host that replaces the one of the source', async () => {
    const hosts: string[] = []
    const memory = new MemorySource(every(0, 10))
    const http: HttpClient = {
      get: (request, sent) => {
        hosts.push(request.baseUrl)
        return memory.get(request, sent)
      },
    }
    await walk(http, minutes(0, 10), { baseUrls: { binance: 'http://mirror' } })
    expect(hosts).toEqual(['http://mirror'])
  })
})

describe('a source that lies', () => {
  test('about the beginning cannot make candles absent', async () => {
    const http = new MemorySource(every(-100, 200), newestBeforeEnd)
    const pages = await walk(http, minutes(0, 100))
    expect([received(pages), absent(pages)]).toEqual([every(0, 100), []])
  })

  test.each([
    ['a listing just before the end', every(96, 200)],
    ['a listing inside', every(47, 200)],
    ['a listing and an outage', [...every(23, 60), ...every(75, 200)]],
    ['an outage', [...every(-100, 31), ...every(75, 200)]],
  ])('about the beginning cannot, at the worst it is found out: %s', async (_, has) => {
    const pages: WalkedPage[] = []
    const walking = walk(new MemorySource(has, newestBeforeEnd), minutes(0, 100), { pages })
    const [outcome] = await Promise.allSettled([walking])
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Malformed)
    else expect(received(pages)).toEqual(has.filter((open) => open >= 0 && open < 100))
    expect(absent(pages).filter((open) => has.includes(open))).toEqual([])
  })

  test('about both bounds, with its newest page for every question, is found out', async () => {
    const http = new MemorySource(every(0, 500), (has) => has.slice(-pageSize))
    await expect(walk(http, minutes(0, 30))).rejects.toThrow(Malformed)
  })

  test('with the same page for every question is found out', async () => {
    const http = new MemorySource(every(0, 500), () => every(0, 10))
    await expect(walk(http, minutes(0, 30))).rejects.toThrow(
      'binance answered with rows that all lie outside the range asked for',
    )
    expect(http.requests).toHaveLength(2)
  })
})

test('whatever is missing at an honest source: every minute comes once or is absent, in a bounded number of requests', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: -20, max: 120 })),
      fc.nat({ max: 100 }),
      async (minutesThere, length) => {
        const has = minutesThere.toSorted((a, b) => a - b)
        const http = new MemorySource(has)
        const range = minutes(0, length)
        const pages = await walk(http, range)
        expect(received(pages)).toEqual(has.filter((open) => open >= 0 && open < length))
        expect(union(pages.map(({ answered }) => answered))).toEqual(length === 0 ? [] : [range])
        expect(pages.reduce((sum, { answered }) => sum + candleCount(answered, '1m'), 0)).toBe(length)
        expect(http.requests.length).toBeLessThanOrEqual(2 + length)
      },
    ),
  )
})
