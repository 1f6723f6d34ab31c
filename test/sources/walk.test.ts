import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BeforeHistory, Fault, Malformed, RangeTooLong, Unavailable } from '../../src/fault.ts'
import type { HttpClient, HttpRequest, SendOptions } from '../../src/http/request.ts'
import type { Candle } from '../../src/market/candle.ts'
import { checkCandles } from '../../src/market/candle-check.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { type Instant, minute } from '../../src/market/instant.ts'
import { type AlignedRange, candleCount, union } from '../../src/market/range.ts'
import { isTimeframe, type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import { binance } from '../../src/sources/binance.ts'
import type { AnswerRow, CandleEndpoint, CandleQuery, CandleSource } from '../../src/sources/source.ts'
import type { WalkedPage } from '../../src/sources/walk/walked-page.ts'
import { walkCandles } from '../../src/sources/walk.ts'
import { plus } from '../support/at.ts'
import { at } from './recorded.ts'

const from = at('2024-03-01T12:00Z')
const options: SendOptions = { lane: 'backfill', signal: new AbortController().signal }

/** Binance with pages of ten candles, so that a walk of some pages can be read. */
const pageSize = 10
const source: CandleSource = { ...binance, candles: { ...binance.candles, pageSize } }

/** So many minutes from the beginning. */
const minutes = (first: number, end: number): AlignedRange => ({
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
  range: AlignedRange,
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

  test('about both bounds, with its newest page for every request, is found out', async () => {
    const http = new MemorySource(every(0, 500), (has) => has.slice(-pageSize))
    await expect(walk(http, minutes(0, 30))).rejects.toThrow(Malformed)
  })

  test('with the same page for every request is found out', async () => {
    const http = new MemorySource(every(0, 500), () => every(0, 10))
    await expect(walk(http, minutes(0, 30))).rejects.toThrow(
      'binance answered with rows that all fault outside the range asked for',
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

/** How a source answers; those that a walk must know of are its own words. */
type Manner = Readonly<
  Pick<CandleEndpoint, 'bounds' | 'longWindow'> &
    Partial<Pick<CandleEndpoint, 'depth' | 'madeFrom'>> & {
      /** Intervals without trades have a row of their own. */
      fills?: boolean
      /** What an answer really holds, and what it is believed to hold at the most. */
      cap?: number
      mostRows?: number
      /** The newest minute that it knows of; it moves on by one with each answer where `isSlow`. */
      now?: number
      isSlow?: boolean
      /** Of this candle of each answer nothing can be read. */
      spoils?: number
    }
>

/** A source that has minutes, and hours made of them, and answers as its manner is. */
class MannerlySource implements HttpClient {
  readonly asked: [from: number, to: number, timeframe: string][] = []
  readonly source: CandleSource
  readonly #has: readonly number[]
  readonly #manner: Manner
  #now: number

  constructor(has: readonly number[], manner: Manner) {
    const { bounds, longWindow, depth, madeFrom, mostRows, now = 1_000_000 } = manner
    this.#has = has
    this.#manner = manner
    this.#now = now
    const request = ({ range, timeframe }: CandleQuery) => ({
      path: '/',
      query: { from: String(minuteOf(range.from)), to: String(minuteOf(range.to)), timeframe },
      weight: 1,
    })
    this.source = {
      ...binance,
      candles: {
        timeframes: ['1m', '5m', '1h'],
        pageSize,
        weight: 1,
        bounds,
        longWindow,
        ...(depth === undefined ? {} : { depth }),
        ...(mostRows === undefined ? {} : { mostRows }),
        madeFrom: madeFrom ?? { '5m': '1m' },
        request,
        parse: (text) => this.#read(JSON.parse(text)),
      },
    }
  }

  async get({ query }: HttpRequest) {
    const [first, end] = [Number(query.from), Number(query.to)]
    const timeframe = query.timeframe ?? ''
    if (!isTimeframe(timeframe)) throw new TypeError(`no timeframe: ${timeframe}`)
    this.asked.push([first, end, timeframe])
    if (this.#manner.isSlow) this.#now += 1
    const text = JSON.stringify(this.#rows(first, end, timeframeMs[timeframe] / minute))
    return { status: 200, headers: {}, text, answeredAt: plus(from, this.#now * minute) }
  }

  /** Pairs of an open time and whether there were trades. */
  #rows(first: number, end: number, length: number): [number, boolean][] {
    const { bounds, longWindow, depth = Number.POSITIVE_INFINITY, fills, cap, mostRows } = this.#manner
    if (longWindow === 'refused' && end - first > (mostRows ?? pageSize) * length)
      throw new Error('the window is too long')
    const traded = new Set(this.#has.map((open) => Math.floor(open / length) * length))
    const oldest = Math.min(...traded)
    const newest = fills ? Math.floor(this.#now / length) * length : Math.max(...traded)
    const all =
      traded.size === 0 ? [] : every(oldest / length, newest / length + 1).map((index) => index * length)
    const rows = all
      .filter((open) => fills || traded.has(open))
      .slice(-Math.min(depth, all.length))
      .filter((open) => !['both', 'from'].includes(bounds) || open >= first)
      .filter((open) => !['both', 'to'].includes(bounds) || open < end)
    const most = cap ?? Math.max(pageSize, depth === Number.POSITIVE_INFINITY ? 0 : depth)
    const page = longWindow === 'oldest' ? rows.slice(0, most) : rows.slice(-most)
    return page.map((open) => [open, traded.has(open)])
  }

  #read(rows: readonly [number, boolean][]): AnswerRow[] {
    return rows.map(([open, isTraded]): AnswerRow => {
      const openTime = plus(from, open * minute)
      if (!isTraded) return { raw: open, openTime, quiet: true }
      if (open === this.#manner.spoils) return { raw: open, openTime, flaw: 'spoilt' }
      const price = toDecimal(String(1_000 + open))
      const candle = { openTime, open: price, high: price, low: price, close: price, volume: toDecimal('1') }
      return { raw: open, candle }
    })
  }
}

async function walkMannerly(
  http: MannerlySource,
  range: AlignedRange,
  { timeframe = '1m' as Timeframe, asOf = 1_000_000 } = {},
): Promise<WalkedPage[]> {
  const query = { symbol: 'X', timeframe, range, asOf: plus(from, asOf * minute) }
  const pages: WalkedPage[] = []
  for await (const page of walkCandles({ http, baseUrls: {} }, http.source, query, options)) pages.push(page)
  return pages
}

/** What of the pages is believed, as it is for the table. */
const trusted = (pages: readonly WalkedPage[], timeframe: Timeframe): Candle[] =>
  pages.flatMap(({ rows, answered, answeredAt }) => {
    const { candles, rejected } = checkCandles(rows, { timeframe, range: answered, now: answeredAt })
    expect(rejected).toEqual([])
    return [...candles]
  })

const within = (has: readonly number[], first: number, end: number) =>
  has.filter((open) => open >= first && open < end)

/** Five minutes each, made of those of its minutes that are there. */
function fives(has: readonly number[], first: number, end: number): Candle[] {
  const groups = new Map<number, number[]>()
  for (const open of within(has, first, end)) {
    const five = Math.floor(open / 5) * 5
    groups.set(five, [...(groups.get(five) ?? []), open])
  }
  return [...groups].map(([five, opens]) => {
    const price = (open = Number.NaN) => toDecimal(String(1_000 + open))
    const [oldest, newest] = [opens[0], opens.at(-1)]
    return {
      openTime: plus(from, five * minute),
      open: price(oldest),
      high: price(newest),
      low: price(oldest),
      close: price(newest),
      volume: toDecimal(String(opens.length)),
    }
  })
}

const manners: readonly (readonly [string, Manner])[] = [
  ['hears both bounds and gives the oldest', { bounds: 'both', longWindow: 'oldest' }],
  ['hears both bounds and gives the newest', { bounds: 'both', longWindow: 'newest' }],
  ['hears both bounds and refuses a long window', { bounds: 'both', longWindow: 'refused' }],
  ['hears only the beginning and gives the oldest', { bounds: 'from', longWindow: 'oldest' }],
  ['hears only the end and gives the newest', { bounds: 'to', longWindow: 'newest' }],
  ['hears only the end and refuses a long window', { bounds: 'to', longWindow: 'refused' }],
  ['fills, and gives the newest', { bounds: 'both', longWindow: 'newest', fills: true, now: 400 }],
  [
    'has only its newest, and fills',
    { bounds: 'from', longWindow: 'newest', fills: true, depth: 450, now: 400 },
  ],
  ['has only its newest, and hears no bound', { bounds: 'none', longWindow: 'newest', depth: 450, now: 400 }],
]

describe.each(manners)('a source that %s', (_, manner) => {
  const { now: asOf = 1_000_000 } = manner
  const someMinutes = fc.uniqueArray(fc.integer({ min: -20, max: 300 }))

  test('gives every minute once, or its absence, in a few requests a page', async () => {
    await fc.assert(
      fc.asyncProperty(someMinutes, fc.nat({ max: 250 }), async (there, length) => {
        const has = there.toSorted((a, b) => a - b)
        const pages = await walkMannerly(new MannerlySource(has, manner), minutes(0, length), { asOf })
        expect(received(pages).toSorted((a, b) => a - b)).toEqual(within(has, 0, length))
        expect(pages.reduce((sum, { answered }) => sum + candleCount(answered, '1m'), 0)).toBe(length)
        expect(union(pages.map(({ answered }) => answered))).toEqual(length === 0 ? [] : [minutes(0, length)])
        for (const { requests } of pages) expect(requests).toBeLessThanOrEqual(4)
      }),
    )
  })

  test('gives whole candles of a timeframe that it lacks, wherever its pages end', async () => {
    await fc.assert(
      fc.asyncProperty(
        someMinutes,
        fc.nat({ max: 40 }),
        fc.nat({ max: 40 }),
        async (there, first, length) => {
          const has = there.toSorted((a, b) => a - b)
          const range = minutes(5 * first, 5 * (first + length))
          const http = new MannerlySource(has, manner)
          const pages = await walkMannerly(http, range, { timeframe: '5m', asOf })
          expect(trusted(pages, '5m')).toEqual(fives(has, 5 * first, 5 * (first + length)))
          expect(union(pages.map(({ answered }) => answered))).toEqual(length === 0 ? [] : [range])
          expect(pages.reduce((sum, { requests }) => sum + requests, 0)).toBe(http.asked.length)
        },
      ),
    )
  })
})

describe('a source of which no long window can be asked', () => {
  test.each([
    ['both', 'newest'],
    ['both', 'refused'],
    ['to', 'newest'],
    ['to', 'refused'],
  ] as const)('(%s, %s) is asked for its longest candles until the listing', async (bounds, longWindow) => {
    const has = every(60_007, 60_100)
    const http = new MannerlySource(has, { bounds, longWindow })
    const pages = await walkMannerly(http, minutes(0, 60_050))
    expect([received(pages), absent(pages).length]).toEqual([every(60_007, 60_050), 60_007])
    // Ten hours in two requests; every ten minutes would be six thousand.
    expect(http.asked.length).toBeLessThan(220)
  })

  test('is not believed to have no shorter candles in an hour that still runs', async () => {
    const has = [...every(0, 5), ...every(65, 70)]
    const http = new MannerlySource(has, { bounds: 'both', longWindow: 'newest', now: 75 })
    const pages = await walkMannerly(http, minutes(0, 75), { asOf: 75 })
    expect(received(pages)).toEqual(has)
    expect(http.asked.filter(([, end, timeframe]) => timeframe === '1h' && end > 60)).toEqual([])
  })
})

describe('a source that has only its newest candles', () => {
  const manner: Manner = { bounds: 'from', longWindow: 'newest', fills: true, depth: 30, now: 100 }

  test('is not asked for older ones, and no page speaks for them', async () => {
    const http = new MannerlySource(every(0, 100), manner)
    const pages = await walkMannerly(http, minutes(40, 100), { asOf: 100 })
    expect(received(pages)).toEqual(every(71, 100))
    expect(absent(pages)).toEqual([])
    expect(Math.min(...http.asked.map(([first]) => first))).toBeGreaterThanOrEqual(70)
  })

  test('loses the oldest of them while it is asked, and they do not seem to be absent', async () => {
    const slow = new MannerlySource(every(0, 200), { ...manner, isSlow: true })
    const pages = await walkMannerly(slow, minutes(40, 100), { asOf: 100 })
    expect([received(pages), absent(pages)]).toEqual([every(72, 100), []])
    const late = new MannerlySource(every(0, 200), { ...manner, now: 110 })
    const latePages = await walkMannerly(late, minutes(40, 100), { asOf: 100 })
    expect([received(latePages), absent(latePages)]).toEqual([every(81, 100), []])
  })

  test('makes no candle of parts of which it has lost some', async () => {
    const has = every(0, 200)
    const http = new MannerlySource(has, { ...manner, now: 112 })
    const pages = await walkMannerly(http, minutes(40, 105), { timeframe: '5m', asOf: 100 })
    expect(trusted(pages, '5m')).toEqual(fives(has, 85, 105))
    expect(answeredRanges(pages).flat()[0]).toBe(85)
  })

  test('has as much as a newer listing has: nothing is missing before it', async () => {
    const http = new MannerlySource(every(90, 100), manner)
    const pages = await walkMannerly(http, minutes(75, 100), { asOf: 100 })
    expect([received(pages), absent(pages)]).toEqual([every(90, 100), every(75, 90)])
  })
})

describe('a row for an interval without trades', () => {
  test('is an answer, and no candle: nothing is asked again', async () => {
    const http = new MannerlySource([0, 9], { bounds: 'both', longWindow: 'oldest', fills: true, now: 50 })
    const pages = await walkMannerly(http, minutes(1, 9), { asOf: 50 })
    expect([http.asked.length, pages]).toMatchObject([1, [{ rows: [], answered: minutes(1, 9) }]])
  })
})

describe('a candle made of shorter ones', () => {
  const manner: Manner = { bounds: 'both', longWindow: 'oldest' }

  test('is flawed where one of them is, and the others are not', async () => {
    const http = new MannerlySource(every(0, 20), { ...manner, spoils: 7 })
    const pages = await walkMannerly(http, minutes(0, 20), { timeframe: '5m' })
    expect(pages.flatMap(({ rows }) => rows.filter((row) => 'flaw' in row))).toMatchObject([
      {
        openTime: plus(from, 5 * minute),
        flaw: 'its 1m candle of 2024-03-01 12:07 UTC was rejected: spoilt',
      },
    ])
    expect(pages.flatMap(({ rows }) => rows.filter((row) => 'candle' in row))).toHaveLength(3)
  })

  test('is not closed while one of them is open', async () => {
    const http = new MannerlySource(every(0, 9), { ...manner, now: 8 })
    const pages = await walkMannerly(http, minutes(0, 10), { timeframe: '5m', asOf: 8 })
    expect(trusted(pages, '5m')).toEqual(fives(every(0, 5), 0, 5))
  })

  test('is not closed where a part was read before its end, though the last answer came after it', async () => {
    // The second page is read a minute after the first, when the candle of both is over.
    const http = new MannerlySource(every(0, 15), { ...manner, now: 12, isSlow: true })
    const pages = await walkMannerly(http, minutes(0, 15), { timeframe: '5m', asOf: 13 })
    expect(trusted(pages, '5m').map(({ openTime }) => minuteOf(openTime))).toEqual([0, 5])
  })
})

describe('an answer that holds fewer rows than it is believed to', () => {
  const anyCap = fc.integer({ min: 1, max: 40 })
  const anyMinutes = fc.uniqueArray(fc.integer({ min: -60, max: 160 }), { maxLength: 200 })

  test.each<Manner['longWindow']>(['oldest', 'newest', 'refused'])(
    'makes no hole, whatever the market had, where a long window gives its %s',
    async (longWindow) => {
      await fc.assert(
        fc.asyncProperty(
          anyMinutes,
          anyCap,
          fc.boolean(),
          fc.nat({ max: 120 }),
          async (there, cap, fills, length) => {
            const has = there.toSorted((a, b) => a - b)
            const http = new MannerlySource(has, {
              bounds: 'both',
              longWindow,
              fills,
              cap,
              mostRows: 30,
              now: 170,
            })
            const range = minutes(0, length)
            const pages = await walkMannerly(http, range)
            expect(received(pages)).toEqual(within(has, 0, length))
            expect(union(pages.map(({ answered }) => answered))).toEqual(length === 0 ? [] : [range])
            expect(http.asked.length).toBeLessThanOrEqual(10 + 3 * length)
          },
        ),
      )
    },
  )

  test('is learned: the windows are no longer then, and no request is made for nothing', async () => {
    const http = new MannerlySource(every(-100, 500), {
      bounds: 'both',
      longWindow: 'newest',
      cap: 10,
      mostRows: 30,
    })
    await walkMannerly(http, minutes(0, 90))
    expect(http.asked.map(([first, end]) => [first, end])).toEqual([
      [0, 30],
      [0, 20],
      [0, 10],
      ...every(3, 9).map((page) => [page * 10, page * 10 + 10]),
    ])
  })

  test('costs few requests more where a market rests at the beginning of many windows', async () => {
    const has = every(0, 600).filter((open) => open % 30 > 5 + (open % 7))
    const http = new MannerlySource(has, { bounds: 'both', longWindow: 'newest', mostRows: 30, cap: 30 })
    const pages = await walkMannerly(http, minutes(0, 600))
    expect(received(pages)).toEqual(has)
    expect(http.asked.length).toBeLessThan(26)
  })
})

describe('a source that rejects a range', () => {
  /** Rejects what begins before its first candle, and what is longer than so many. */
  class RejectingSource extends MannerlySource {
    readonly #beginsAt: number
    readonly #longest: number

    constructor(has: readonly number[], beginsAt: number, longest: number) {
      super(has, { bounds: 'both', longWindow: 'refused', mostRows: 30, cap: 30 })
      this.#beginsAt = beginsAt
      this.#longest = longest
    }

    override async get(request: HttpRequest) {
      const [first, end] = [Number(request.query.from), Number(request.query.to)]
      const answer = await super.get(request)
      const length = request.query.timeframe === '1h' ? 60 : 1
      if (end - first > this.#longest * length) throw new RangeTooLong('too broad')
      if (first < this.#beginsAt) throw new BeforeHistory('too long ago')
      return answer
    }
  }

  test('for its length is asked for half of it, until that is not rejected', async () => {
    const http = new RejectingSource(every(0, 100), Number.NEGATIVE_INFINITY, 7)
    const pages = await walkMannerly(http, minutes(0, 60))
    expect([received(pages), absent(pages)]).toEqual([every(0, 60), []])
    expect(http.asked.length).toBeLessThan(20)
  })

  test('of any length at all ends the walk with that', async () => {
    const http = new RejectingSource(every(0, 100), Number.NEGATIVE_INFINITY, 0)
    await expect(walkMannerly(http, minutes(0, 60))).rejects.toThrow(RangeTooLong)
  })

  test('for its beginning is asked from where it accepts one, and what faults before is left open', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -10, max: 200 }), async (beginsAt) => {
        const http = new RejectingSource(every(0, 160), beginsAt, 30)
        const pages = await walkMannerly(http, minutes(0, 160))
        const from = Math.min(Math.max(0, beginsAt), 160)
        expect([received(pages), absent(pages)]).toEqual([every(from, 160), []])
        expect(http.asked.length).toBeLessThan(30)
      }),
    )
  })

  test('once, and then accepts it, costs a few requests', async () => {
    const http = new RejectingSource(every(0, 160), 0, 30)
    const fine = http.get.bind(http)
    let requests = 0
    http.get = async (request) => {
      requests += 1
      if (requests === 2) throw new BeforeHistory('too long ago')
      return fine(request)
    }
    const pages = await walkMannerly(http, minutes(0, 160))
    expect([received(pages), absent(pages)]).toEqual([every(0, 160), []])
    expect(requests).toBeLessThan(20)
  })
})

describe('whatever a source answers, a walk ends', () => {
  /** Of each answer: how its bounds are moved, how many rows it holds at the most, and from which end. */
  const anyAnswer = fc.record({
    fromBy: fc.integer({ min: -20, max: 20 }),
    toBy: fc.integer({ min: -20, max: 20 }),
    most: fc.integer({ min: 0, max: 12 }),
    isOldest: fc.boolean(),
    isSame: fc.boolean(),
    rejects: fc.constantFrom(undefined, undefined, undefined, BeforeHistory, RangeTooLong),
  })

  type AnAnswer = typeof anyAnswer extends fc.Arbitrary<infer Answer> ? Answer : never

  class WildSource extends MannerlySource {
    readonly #answers: readonly AnAnswer[]
    #text: string | undefined

    constructor(manner: Manner, answers: readonly AnAnswer[]) {
      super([], manner)
      this.#answers = answers
    }

    override async get(request: HttpRequest) {
      const answer = this.#answers[this.asked.length % this.#answers.length]
      const [first, end] = [Number(request.query.from), Number(request.query.to)]
      this.asked.push([first, end, String(request.query.timeframe)])
      if (this.asked.length > 20_000) throw new Error('the walk does not end')
      if (answer === undefined) throw new Error('no answer')
      if (answer.rejects) throw new answer.rejects('no')
      const rows = every(first + answer.fromBy, Math.max(first, end + answer.toBy)).map((open) => [
        open,
        true,
      ])
      const some = answer.isOldest ? rows.slice(0, answer.most) : rows.slice(rows.length - answer.most)
      if (!answer.isSame || this.#text === undefined) this.#text = JSON.stringify(some)
      return { status: 200, headers: {}, text: this.#text, answeredAt: plus(from, 1_000_000 * minute) }
    }
  }

  test('in a bounded number of requests, and never goes back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyAnswer, { minLength: 1, maxLength: 12 }),
        fc.constantFrom<Manner['bounds']>('both', 'from', 'to', 'none'),
        fc.constantFrom<Manner['longWindow']>('oldest', 'newest', 'refused'),
        fc.constantFrom(undefined, 25),
        async (answers, bounds, longWindow, depth) => {
          const manner: Manner = {
            bounds,
            longWindow,
            mostRows: 30,
            ...(depth === undefined ? {} : { depth }),
          }
          const http = new WildSource(manner, answers)
          const pages: WalkedPage[] = []
          const query = {
            symbol: 'X',
            timeframe: '1m' as const,
            range: minutes(0, 100),
            asOf: plus(from, 1_000_000 * minute),
          }
          const walking = (async () => {
            for await (const page of walkCandles({ http, baseUrls: {} }, http.source, query, options))
              pages.push(page)
          })()
          const [end] = await Promise.allSettled([walking])
          if (end.status === 'rejected') expect(end.reason).toBeInstanceOf(Fault)
          expect(http.asked.length).toBeLessThanOrEqual(5_000)
          for (const [index, { answered }] of pages.entries()) {
            expect(answered.from).toBeGreaterThanOrEqual(pages[index - 1]?.answered.to ?? from)
            expect(answered.to).toBeGreaterThan(answered.from)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
