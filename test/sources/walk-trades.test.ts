import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../src/fault.ts'
import type { HttpClient, HttpRequest, SendOptions } from '../../src/http/request.ts'
import type { Candle } from '../../src/market/candle.ts'
import { addDecimals, type Decimal, toDecimal } from '../../src/market/decimal.ts'
import { type Instant, minute } from '../../src/market/instant.ts'
import { type AlignedRange, union } from '../../src/market/range.ts'
import { kraken } from '../../src/sources/kraken.ts'
import { TradedCandles } from '../../src/sources/walk/trades.ts'
import { walkTrades } from '../../src/sources/walk/walk-trades.ts'
import type { WalkedPage } from '../../src/sources/walk/walked-page.ts'
import { plus } from '../support/at.ts'
import { at } from './recorded.ts'

const from = at('2024-03-01T12:00Z')
const options: SendOptions = { lane: 'backfill', signal: new AbortController().signal }

/** Kraken with answers of five trades, so that a walk of some answers can be read. */
const pageSize = 5
const source = { source: kraken, trades: { ...kraken.candles.trades, pageSize } }

type Made = Readonly<{
  id: number
  time: bigint
  /** Another for each trade of one moment. */
  cursor: bigint
  price: string
  amount: string
}>

/** A trade so many seconds after the beginning; the number and the price go by the order, unless told otherwise. */
type Reported = number | Readonly<{ at: number; price?: string; amount?: string }>

const made = (reported: readonly Reported[]): Made[] => {
  let before = 0n
  return reported.map((one, index) => {
    const {
      at: seconds,
      price = String(100 + index),
      amount = '1',
    } = typeof one === 'number' ? { at: one } : one
    const time = BigInt(from) * 1_000_000n + BigInt(Math.round(seconds * 1e9))
    const cursor = time > before ? time : before + 1n
    before = cursor
    return { id: index + 1, time, cursor, price, amount }
  })
}

/** Which of its trades a source answers with. */
type Behaviour = (has: readonly Made[], since: bigint, requests: number) => readonly Made[]

const behind: Behaviour = (has, since) => has.filter(({ time }) => time > since).slice(0, pageSize)
const atOrBehind: Behaviour = (has, since) => has.filter(({ time }) => time >= since).slice(0, pageSize)

/** By a cursor that tells the trades of one moment apart. */
const behindCursor: Behaviour = (has, since) => has.filter(({ cursor }) => cursor > since).slice(0, pageSize)
const fromCursor: Behaviour = (has, since) => has.filter(({ cursor }) => cursor >= since).slice(0, pageSize)

const hasCursors = (behave: Behaviour): boolean => behave === behindCursor || behave === fromCursor

class MemoryTrades implements HttpClient {
  readonly since: bigint[] = []
  readonly #has: readonly Made[]
  readonly #behave: Behaviour
  readonly #tellsApart: boolean

  constructor(has: readonly Reported[], behave: Behaviour = behind, tellsApart = hasCursors(behave)) {
    this.#has = made(has)
    this.#behave = behave
    this.#tellsApart = tellsApart
  }

  async get({ path, query }: HttpRequest, sent: SendOptions) {
    expect([path, sent]).toEqual(['/0/public/Trades', options])
    const since = BigInt(query.since ?? '')
    this.since.push(since)
    const rows = this.#behave(this.#has, since, this.since.length)
    const written = rows.map(
      ({ id, time, price, amount }) => `["${price}","${amount}",${inSeconds(time)},"b","m","",${id}]`,
    )
    const last = rows
      .map(({ time, cursor }) => (this.#tellsApart ? cursor : time))
      .reduce((a, b) => (a > b ? a : b), since)
    const text = `{"error":[],"result":{"X":[${written.join()}],"last":"${last}"}}`
    return { status: 200, headers: {}, text, answeredAt: plus(from, 1_000 * minute) }
  }
}

/** Seven digits after the point, the last one rounded, as in a double. */
function inSeconds(time: bigint): string {
  const rounded = (time + 50n) / 100n
  return `${rounded / 10_000_000n}.${String(rounded % 10_000_000n).padStart(7, '0')}`
}

const minutes = (first: number, end: number): AlignedRange => ({
  from: plus(from, first * minute),
  to: plus(from, end * minute),
})

async function walk(http: HttpClient, range: AlignedRange, pages: WalkedPage[] = []): Promise<WalkedPage[]> {
  const query = { symbol: 'X', timeframe: '1m', range, asOf: plus(from, 1_000 * minute) } as const
  for await (const page of walkTrades({ http, baseUrls: {} }, source, query, options)) pages.push(page)
  return pages
}

const candlesOf = (pages: readonly WalkedPage[]): Candle[] =>
  pages.flatMap(({ rows }) => rows.flatMap((row) => ('candle' in row ? [row.candle] : [])))

const minuteOf = (instant: Instant): number => (instant - from) / minute

/** The minutes that have a candle. */
const traded = (pages: readonly WalkedPage[]): number[] =>
  candlesOf(pages).map(({ openTime }) => minuteOf(openTime))

const answeredRanges = (pages: readonly WalkedPage[]): number[][] =>
  pages.map(({ answered }) => [minuteOf(answered.from), minuteOf(answered.to)])

/** The candles of the trades in a range, added up the slow way. */
function addedUp(reported: readonly Reported[], { from: first, to }: AlignedRange): Candle[] {
  const byMinute = new Map<number, Made[]>()
  for (const one of made(reported)) {
    const openTime = Number(one.time / 60_000_000_000n) * minute
    byMinute.set(openTime, [...(byMinute.get(openTime) ?? []), one])
  }
  return [...byMinute]
    .filter(([openTime]) => openTime >= first && openTime < to)
    .toSorted(([a], [b]) => a - b)
    .map(([openTime, trades]) => {
      const prices = trades.map(({ price }) => price)
      const sorted = prices.toSorted((a, b) => Number(a) - Number(b))
      const decimal = (text = '') => toDecimal(text)
      return {
        openTime: plus(first, openTime - first),
        open: decimal(prices[0]),
        high: decimal(sorted.at(-1)),
        low: decimal(sorted[0]),
        close: decimal(prices.at(-1)),
        volume: trades.map(({ amount }) => toDecimal(amount)).reduce(addDecimals),
      }
    })
}

describe('candles made of trades', () => {
  const one = (id: number, seconds: number, price: string, amount: string) => ({
    raw: id,
    id: String(id),
    time: BigInt(from) * 1_000_000n + BigInt(seconds) * 1_000_000_000n,
    price: toDecimal(price),
    amount: toDecimal(amount),
  })

  test('have the first price, the highest, the lowest, the last, and every digit of the sum', () => {
    const candles = new TradedCandles('1m')
    candles.add(one(1, 0, '10', '0.1'))
    candles.add(one(2, 10, '12.5', '0.00000000000000000001'))
    candles.add(one(3, 20, '9', '0.2'))
    candles.add(one(4, 59, '11', '12345678901234567890'))
    expect(candles.take(plus(from, minute))).toEqual([
      {
        raw: { count: 4, first: '1', last: '4' },
        candle: {
          openTime: from,
          open: '10',
          high: '12.5',
          low: '9',
          close: '11',
          volume: '12345678901234567890.30000000000000000001',
        },
      },
    ])
  })

  test('begin with the trade that is made just then', () => {
    const candles = new TradedCandles('1m')
    candles.add(one(1, 59, '1', '1'))
    candles.add(one(2, 60, '2', '1'))
    const rows = candles.take(plus(from, 2 * minute))
    expect(rows.map((row) => 'candle' in row && [minuteOf(row.candle.openTime), row.candle.open])).toEqual([
      [0, '1'],
      [1, '2'],
    ])
  })

  test('are handed out once, and what still grows is not', () => {
    const candles = new TradedCandles('1m')
    candles.add(one(1, 0, '1', '1'))
    candles.add(one(2, 60, '2', '1'))
    expect(candles.take(plus(from, minute))).toHaveLength(1)
    expect(candles.take(plus(from, minute))).toEqual([])
    expect(candles.take(plus(from, 2 * minute))).toHaveLength(1)
  })

  test('cannot be known where one of the trades cannot be read', () => {
    const candles = new TradedCandles('1m')
    candles.add(one(1, 0, '1', '1'))
    candles.add({ raw: 2, id: '2', time: one(2, 1, '1', '1').time, flaw: 'its price is nothing' })
    candles.add(one(3, 2, '1', '1'))
    candles.add({ raw: 4, id: '4', time: one(4, 60, '1', '1').time, flaw: 'its price is nothing' })
    expect(candles.take(plus(from, 2 * minute))).toEqual([
      {
        raw: { count: 3, first: '1', last: '3' },
        openTime: from,
        flaw: 'trade 2 of it is bad: its price is nothing',
      },
      {
        raw: { count: 1, first: '4', last: '4' },
        openTime: plus(from, minute),
        flaw: 'trade 4 of it is bad: its price is nothing',
      },
    ])
  })
})

describe('a walk through trades', () => {
  test('speaks with each page for the whole candles before the last trade', async () => {
    const reported = [1, 2, 61, 62, 63, 64, 125, 126, 190, 241]
    const pages = await walk(new MemoryTrades(reported), minutes(0, 4))
    expect(answeredRanges(pages)).toEqual([
      [0, 1],
      [1, 3],
      [3, 4],
    ])
    expect(candlesOf(pages)).toEqual(addedUp(reported, minutes(0, 4)))
    expect(pages.map(({ requests }) => requests)).toEqual([1, 1, 1])
  })

  test('goes on where it was broken off, with the same candles', async () => {
    const reported = Array.from({ length: 60 }, (_, index) => index * 7.3)
    const whole = await walk(new MemoryTrades(reported), minutes(0, 7))
    for (const { answered } of whole.slice(0, -1)) {
      const rest = { from: answered.to, to: plus(from, 7 * minute) }
      const again = await walk(new MemoryTrades(reported), rest)
      expect(candlesOf(again)).toEqual(addedUp(reported, rest))
    }
  })

  test('leaves minutes without trades out', async () => {
    const pages = await walk(new MemoryTrades([1, 2, 301, 302, 303, 304, 305, 306]), minutes(0, 6))
    expect(traded(pages)).toEqual([0, 5])
    expect(answeredRanges(pages)).toEqual([
      [0, 5],
      [5, 6],
    ])
  })

  test.each([
    ['not included', behind],
    ['included', atOrBehind],
  ])('loses none of the trades of one moment, where the nanosecond asked for is %s', async (_, behave) => {
    const reported = [1, 2, 3, 4, 5, 5, 5, 5, 9, 61]
    const pages = await walk(new MemoryTrades(reported, behave), minutes(0, 1))
    expect(candlesOf(pages)).toEqual(addedUp(reported, minutes(0, 1)))
  })

  test.each([
    ['not included', behindCursor, 7],
    ['included', fromCursor, 7],
    ['not included', behindCursor, 500],
    ['included', fromCursor, 500],
  ])('where the cursor is %s, takes each of many trades of one moment once (%#)', async (_, behave, many) => {
    const crowd = Array.from({ length: many }, () => 5)
    const reported = [1, 2, ...crowd, 5.000_02, 9, 61, ...crowd.map(() => 70), 130]
    const http = new MemoryTrades(reported, behave)
    const pages = await walk(http, minutes(0, 2))
    expect(candlesOf(pages)).toEqual(addedUp(reported, minutes(0, 2)))
    expect(http.since.length).toBeLessThan(reported.length)
  })

  test('begins in the middle of such a moment', async () => {
    const reported = [...Array.from({ length: 23 }, () => 0), 30, 61]
    const pages = await walk(new MemoryTrades(reported, behindCursor), minutes(0, 1))
    expect(candlesOf(pages)).toEqual(addedUp(reported, minutes(0, 1)))
  })

  test('ends in the middle of such a moment, and believes that when it is said twice', async () => {
    const reported = [1, ...Array.from({ length: 23 }, () => 2)]
    const http = new MemoryTrades(reported, behindCursor)
    const pages = await walk(http, minutes(0, 10))
    expect(candlesOf(pages)).toEqual(addedUp(reported, minutes(0, 10)))
    expect(http.since.slice(-2)).toEqual([http.since.at(-1), http.since.at(-1)])
  })

  test('counts a trade once that comes twice, in one answer or in two', async () => {
    const twice: Behaviour = (has, since) => behind(has, since, 0).flatMap((trade) => [trade, trade])
    const reported = [1, 2, 3, 4, 5, 6, 7, 61]
    const pages = await walk(new MemoryTrades(reported, twice), minutes(0, 1))
    expect(candlesOf(pages)).toEqual(addedUp(reported, minutes(0, 1)))
  })

  test('does not mind the order in an answer', async () => {
    const turned: Behaviour = (has, since) => behind(has, since, 0).toReversed()
    const reported = [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 61]
    const pages = await walk(new MemoryTrades(reported, turned), minutes(0, 1))
    expect(candlesOf(pages)).toEqual(addedUp(reported, minutes(0, 1)))
  })

  test('takes a trade of just before the next minute, whose time is written as of that minute, for the same in each walk', async () => {
    const reported: Reported[] = [1, 59, 59.999_999_98, 61, 62, 63, 64, 65, 66, 121]
    const whole = candlesOf(await walk(new MemoryTrades(reported), minutes(0, 2)))
    const halves = [
      ...candlesOf(await walk(new MemoryTrades(reported), minutes(0, 1))),
      ...candlesOf(await walk(new MemoryTrades(reported), minutes(1, 2))),
    ]
    expect(halves).toEqual(whole)
    expect(whole.map(({ volume }) => Number(volume)).reduce((sum, volume) => sum + volume)).toBe(9)
  })

  test('ends with the last trade of a market that rests', async () => {
    const http = new MemoryTrades([1, 2, 61])
    const pages = await walk(http, minutes(0, 10))
    expect([traded(pages), answeredRanges(pages)]).toEqual([
      [0, 1],
      [
        [0, 1],
        [1, 10],
      ],
    ])
    expect(http.since).toHaveLength(2)
  })

  test('believes that there are no trades when it is said twice', async () => {
    const http = new MemoryTrades([])
    expect(answeredRanges(await walk(http, minutes(0, 10)))).toEqual([[0, 10]])
    expect(http.since).toHaveLength(2)
    const onceEmpty: Behaviour = (has, since, requests) => (requests === 1 ? [] : behind(has, since, 0))
    expect(traded(await walk(new MemoryTrades([1, 61], onceEmpty), minutes(0, 1)))).toEqual([0])
  })

  test('takes the years before a listing in two answers', async () => {
    const http = new MemoryTrades([6_000, 6_001, 6_002, 6_003, 6_061])
    const pages = await walk(http, minutes(0, 100))
    expect(answeredRanges(pages)).toEqual([[0, 100]])
    expect(http.since).toHaveLength(2)
  })

  test('makes a flawed row of a candle with a bad trade, and goes on', async () => {
    const pages = await walk(new MemoryTrades([1, { at: 2, price: 'nan' }, 61, 121, 181]), minutes(0, 2))
    expect(pages.flatMap(({ rows }) => rows)).toMatchObject([
      { openTime: from, flaw: 'trade 2 of it is bad: its price is not a decimal string' },
      { candle: { openTime: plus(from, minute) } },
    ])
  })
})

describe('a source of trades that lies is found out', () => {
  const busy = Array.from({ length: 40 }, (_, index) => index * 10)

  async function expectFault(
    behave: Behaviour,
    range: AlignedRange,
    says: RegExp,
    reported: readonly Reported[] = busy,
  ) {
    const pages: WalkedPage[] = []
    const walking = walk(new MemoryTrades(reported, behave), range, pages)
    await expect(walking).rejects.toThrow(Malformed)
    await expect(walking).rejects.toThrow(says)
    // What it said until then is true.
    const end = pages.at(-1)?.answered.to ?? range.from
    expect(candlesOf(pages)).toEqual(addedUp(reported, { from: range.from, to: end }))
  }

  test('when it does not hear where to begin, and answers with its newest', async () => {
    await expectFault((has) => has.slice(-pageSize), minutes(0, 3), /trades of before/)
    await expectFault((has) => has.slice(-pageSize), minutes(0, 60), /trades of before/)
  })

  test('when it pauses hearing where to begin', async () => {
    const forgetful: Behaviour = (has, since, requests) =>
      requests > 2 ? has.slice(-pageSize) : behind(has, since, 0)
    await expectFault(forgetful, minutes(0, 3), /left out trades/)
  })

  test('when it begins at the beginning of time', async () => {
    await expectFault((has) => has.slice(0, pageSize), minutes(2, 3), /trades of before/)
  })

  test('when its cursor stands still', async () => {
    await expectFault((has) => has.slice(0, pageSize), minutes(0, 3), /trades of before/)
  })

  test('when its cursor cannot tell the trades of one moment apart, and they do not fit into an answer', async () => {
    const reported = [1, 1, 1, 1, 1, 1, 1, 61]
    await expectFault(behind, minutes(0, 1), /leads past some of them: trade 6 is missing/, reported)
    await expectFault(atOrBehind, minutes(0, 1), /every answer holds the same 5 trades/, reported)
  })

  test('when it always has one more trade of the same moment', async () => {
    const [first = expect.fail('no trade')] = made([1])
    const endless: Behaviour = (_has, since) => {
      const from = since < first.cursor ? 0 : Number(since - first.cursor) + 1
      return Array.from({ length: pageSize }, (_, index) => ({
        ...first,
        id: from + index + 1,
        cursor: first.cursor + BigInt(from + index),
      }))
    }
    const http = new MemoryTrades([], endless, true)
    await expect(walk(http, minutes(0, 1))).rejects.toThrow(/1001 answers are of that moment/)
  })

  test('when it jumps over trades, or forgets all of them', async () => {
    const jumping: Behaviour = (has, since, requests) =>
      has.filter(({ time }) => time > since + (requests > 1 ? 25_000_000_000n : 0n)).slice(0, pageSize)
    await expectFault(jumping, minutes(0, 3), /left out trades/)
    await expectFault(
      (has, since, requests) => (requests > 1 ? [] : behind(has, since, 0)),
      minutes(0, 3),
      /left out/,
    )
  })

  test('when its cursor is written in another unit', async () => {
    const inMilliseconds: HttpClient = {
      get: async (request, sent) => {
        const answer = await new MemoryTrades(busy).get(request, sent)
        return { ...answer, text: answer.text.replace(/"last":"(\d+)\d{6}"/, '"last":"$1"') }
      },
    }
    await expect(walk(inMilliseconds, minutes(0, 3))).rejects.toThrow('elsewhere than at its last trade')
  })
})

test('whatever was traded: every candle comes once, exactly, and all of the range is spoken for', async () => {
  const trade = fc.record({
    gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 90_000 })),
    price: fc.integer({ min: 1, max: 999 }),
    amount: fc.integer({ min: 0, max: 10 ** 9 }),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(trade, { maxLength: 60 }),
      fc.nat({ max: 20 }),
      fc.nat({ max: 20 }),
      fc.constantFrom(behind, atOrBehind, behindCursor, fromCursor),
      async (trades, first, length, behave) => {
        const tellsApart = hasCursors(behave)
        let seconds = -300
        let alike = 0
        const reported = trades.map(({ gapMs, price, amount }): Reported => {
          // Of a source that does not tell them apart, fewer in one moment than an answer holds.
          alike = gapMs === 0 ? alike + 1 : 0
          seconds += (alike > 2 && !tellsApart ? 1 : gapMs) / 1_000
          return { at: seconds, price: String(price), amount: (amount / 1e8).toFixed(8) }
        })
        const range = minutes(first, first + length)
        if (length === 0) return
        const pages = await walk(new MemoryTrades(reported, behave), range)
        expect(candlesOf(pages).map(exactly)).toEqual(addedUp(reported, range).map(exactly))
        expect(pages.map(({ answered }) => answered)).toEqual(
          pages.map(({ answered }, index) => ({
            ...answered,
            from: pages[index - 1]?.answered.to ?? range.from,
          })),
        )
        expect(union(pages.map(({ answered }) => answered))).toEqual([range])
      },
    ),
  )
})

const exactly = (candle: Candle): (number | Decimal)[] => Object.values(candle)
