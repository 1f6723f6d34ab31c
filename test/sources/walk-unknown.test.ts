import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SendOptions } from '../../src/http/request.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { type Instant, minute } from '../../src/market/instant.ts'
import { floorTo, type Timeframe, timeframeMs } from '../../src/market/timeframe.ts'
import type { AnswerRow, CandleQuery, ConversingSource } from '../../src/sources/source.ts'
import { walkCandles } from '../../src/sources/walk.ts'
import { plus } from '../support/at.ts'
import { at } from './recorded.ts'

const from = at('2024-03-01T12:00Z')
const minutes = 600
const now = plus(from, minutes * minute)
const options: SendOptions = { lane: 'backfill', signal: new AbortController().signal }
const pageSize = 60

/** Which open times a source answers with, of all that its market ever had, ascending. */
type Behaviour = (had: readonly Instant[], query: CandleQuery) => readonly Instant[]

const honest: Behaviour = (had, { range }) =>
  had.filter((open) => open >= range.from && open < range.to).slice(0, pageSize)

/** Of a question for more than that it gives the newest: its page is shorter than it is said to be. */
const shortPaged: Behaviour = (had, query) => honest(had, query).slice(-7)

/** It keeps so many, and gives them all whatever is asked. */
const forgetful: Behaviour = (had) => had.slice(-pageSize)

/** What a market had is told in minutes; an hour has a candle where one of its minutes has. */
function aSource(had: readonly number[], behave: Behaviour) {
  const ofTimeframe = (timeframe: Timeframe): Instant[] => [
    ...new Set(had.map((open) => floorTo(timeframe, plus(from, open * minute)))),
  ]
  const requests: CandleQuery[] = []
  const source: ConversingSource = {
    id: 'ccxt:memory',
    hosts: ['http://127.0.0.1'],
    rateLimits: [{ points: 1, perMs: 1 }],
    classify: () => undefined,
    candles: {
      timeframes: ['1m', '1h'],
      pageSize,
      weight: 1,
      depth: 'unknown',
      bounds: 'none',
      longWindow: 'refused',
      converse: async (_ask, query) => {
        requests.push(query)
        return behave(ofTimeframe(query.timeframe), query).map(candleAt)
      },
    },
    listing: { converse: async () => [] },
  }
  return { source, requests }
}

const one = toDecimal('1')
const candleAt = (openTime: Instant): AnswerRow => ({
  raw: openTime,
  candle: { openTime, open: one, high: one, low: one, close: one, volume: one },
})

/** The minutes that a walk brings, and those that it calls missing at the source. */
async function walk({ source }: ReturnType<typeof aSource>) {
  const range = { from, to: now }
  const deps = { http: { get: () => Promise.reject(new Error('nothing is sent')) }, baseUrls: {} }
  const query = { symbol: 'A/B', timeframe: '1m' as const, range, asOf: now }
  const brought: number[] = []
  const absent: number[] = []
  for await (const { rows, answered } of walkCandles(deps, source, query, options)) {
    const came = new Set(rows.flatMap((row) => ('candle' in row ? row.candle.openTime : [])))
    for (let open = answered.from; open < answered.to; open = plus(open, timeframeMs['1m']))
      (came.has(open) ? brought : absent).push((open - from) / minute)
  }
  return { brought, absent }
}

const allMinutes = Array.from({ length: minutes }, (_, open) => open)
const aHistory = fc.subarray(allMinutes, { minLength: 1 })

describe('a source that does not tell what it makes of a question', () => {
  test.for([
    ['answers honestly', honest],
    ['has a shorter page than is said, and fills it from the end', shortPaged],
  ] as const)('and %s is read whole, and its holes are known', async ([, behave]) => {
    await fc.assert(
      fc.asyncProperty(aHistory, async (had) => {
        const { brought, absent } = await walk(aSource(had, behave))
        expect(brought).toEqual(had)
        // A trade in the hour of an empty beginning may be one that was forgotten.
        const first = had[0] ?? minutes
        const sure = allMinutes.filter((open) => !had.includes(open) && open > first)
        expect(absent.filter((open) => open > first)).toEqual(sure)
      }),
      { numRuns: 40 },
    )
  })

  test('and keeps only its newest candles is never said to lack one that it had', async () => {
    await fc.assert(
      fc.asyncProperty(aHistory, async (had) => {
        const { brought, absent } = await walk(aSource(had, forgetful))
        expect(brought).toEqual(had.slice(-pageSize))
        expect(absent.filter((open) => had.includes(open))).toEqual([])
      }),
      { numRuns: 40 },
    )
  })

  test('is asked for what it had before its answers began, and trusted where it had nothing', async () => {
    const listedLate = aSource(allMinutes.slice(240), honest)
    const { brought, absent } = await walk(listedLate)
    expect([brought.length, absent.length]).toEqual([minutes - 240, 240])
    expect(listedLate.requests.length).toBeLessThan(20)
  })
})
