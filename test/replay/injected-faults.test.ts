import { describe, expect, test } from 'vitest'
import { day, minute, plus, toInstant } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { ok, WrittenNumber } from '../../src/replay/answer.ts'
import type { Endpoint } from '../../src/replay/endpoint.ts'
import type { InjectedFault } from '../../src/replay/faults/injected-fault.ts'
import { outageOf2018 } from '../../src/replay/faults/outage.ts'
import type { When } from '../../src/replay/faults.ts'
import { halfPast, json, type Playing, play, type Reported, rowsOf } from './playing.ts'

const path = 'klines?symbol=BTCUSDT&interval=1m&limit=5'

/** The same question to an exchange that lies and to an honest one. */
async function ask(fault: InjectedFault): Promise<Readonly<{ reported: Reported; truth: Reported }>> {
  await using exchange = await play({ faults: [{ when: { nth: 1 }, fault }] })
  return { reported: await exchange.binance(path), truth: await exchange.binance(path) }
}

async function askRows(fault: InjectedFault) {
  const { reported, truth } = await ask(fault)
  expect(reported.status).toBe(200)
  return { reported: rowsOf(reported), truth: rowsOf(truth) }
}

describe('another answer', () => {
  test.each([
    [{ name: 'rate-limited', retryAfterSeconds: 7 }, 429, '7'],
    [{ name: 'banned', retryAfterSeconds: 120 }, 418, '120'],
    [{ name: 'server-error', status: 500 }, 500, null],
    [{ name: 'server-error', status: 503 }, 503, null],
    [{ name: 'firewall' }, 403, null],
    [{ name: 'region-refused' }, 451, null],
  ] satisfies [InjectedFault, number, string | null][])('%o', async (fault, status, retryAfter) => {
    const { reported, truth } = await ask(fault)
    expect([reported.status, reported.headers.get('retry-after')]).toEqual([status, retryAfter])
    expect(truth.status).toBe(200)
  })

  test('html is a page with status 200', async () => {
    const { reported } = await ask({ name: 'html' })
    expect([reported.status, reported.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(reported.text).toMatch(/^<!DOCTYPE html>/)
  })

  test('redirect points to another host', async () => {
    const { reported } = await ask({ name: 'redirect', to: 'http://192.0.2.1/steal' })
    expect([reported.status, reported.headers.get('location')]).toEqual([302, 'http://192.0.2.1/steal'])
  })
})

describe('other rows', () => {
  test('no-rows is an empty list, object-for-rows is no list', async () => {
    expect((await askRows({ name: 'no-rows' })).reported).toEqual([])
    const { reported, truth } = await ask({ name: 'object-for-rows' })
    expect(json(reported)).toEqual({ rows: json(truth) })
  })

  test('duplicate-row repeats one, conflicting-duplicate with another close', async () => {
    const same = await askRows({ name: 'duplicate-row', row: 1 })
    expect(same.reported).toEqual(same.truth.toSpliced(1, 0, ...same.truth.slice(1, 2)))
    const other = await askRows({ name: 'conflicting-duplicate', row: 1 })
    expect(other.reported).toHaveLength(6)
    expect(other.reported[1]).toEqual(other.truth[1])
    expect(other.reported[2]?.[0]).toBe(other.truth[1]?.[0])
    expect(other.reported[2]?.[4]).not.toBe(other.truth[1]?.[4])
  })

  test('growing-duplicate repeats one with more volume, the later state of it last', async () => {
    const { reported, truth } = await askRows({ name: 'growing-duplicate', row: 1 })
    expect(reported.toSpliced(2, 1)).toEqual(truth)
    expect(Number(reported[2]?.[5])).toBeGreaterThan(Number(truth[1]?.[5]))
  })

  test('outage leaves the candles of February 2018 as Binance has them', async () => {
    const hours = 'klines?symbol=BTCUSDT&interval=1h&limit=1000&startTime=1518044400000&endTime=1518325199999'
    await using exchange = await play({
      faults: [{ when: { nth: 1 }, fault: { name: 'outage', ...outageOf2018 } }],
    })
    const times = rowsOf(await exchange.binance(hours)).map((row) => [row[0], row[6]])
    const beside = Array.from({ length: 43 }, (_, index) => 1_518_168_494_789 + index * 3_600_000)
    expect(times).toEqual([
      [1_518_044_400_000, 1_518_047_999_999],
      [1_518_048_000_000, 1_518_049_694_788],
      ...beside.slice(0, -1).map((openTime) => [openTime, openTime + 3_599_999]),
      [1_518_319_694_789, 1_518_321_600_999],
      [1_518_321_600_000, 1_518_325_199_999],
    ])
  })

  test('disorder turns them round', async () => {
    const { reported, truth } = await askRows({ name: 'disorder' })
    expect(reported).toEqual(truth.toReversed())
  })

  test('hole leaves rows out, one-row-short the last', async () => {
    const hole = await askRows({ name: 'hole', row: 1, rows: 2 })
    expect(hole.reported).toEqual(hole.truth.toSpliced(1, 2))
    const short = await askRows({ name: 'one-row-short' })
    expect(short.reported).toEqual(short.truth.slice(0, -1))
  })

  test('one-row-more begins a candle too early, open-candle ends with the one that runs', async () => {
    const more = await askRows({ name: 'one-row-more' })
    expect(more.reported.slice(1)).toEqual(more.truth)
    expect(more.reported[0]?.[0]).toBe(Number(more.truth[0]?.[0]) - minute)
    const past = `${path}&endTime=${halfPast - day}`
    await using exchange = await play({ faults: [{ when: 'always', fault: { name: 'open-candle' } }] })
    const [newest, ...rest] = rowsOf(await exchange.binance(past)).toReversed()
    expect([newest?.[0], rest.length]).toEqual([floorTo('1m', halfPast), 5])
    expect(rowsOf(await exchange.binance(path))).toHaveLength(5)
  })

  test('future-candle adds an aligned one that has not begun', async () => {
    const { reported, truth } = await askRows({ name: 'future-candle' })
    expect(reported.slice(0, -1)).toEqual(truth)
    const openTime = Number(reported.at(-1)?.[0])
    expect(openTime).toBeGreaterThan(halfPast)
    expect(openTime % day).toBe(0)
  })

  test('unaligned-time moves one off the grid, seconds-for-milliseconds all to another unit', async () => {
    const { reported, truth } = await askRows({ name: 'unaligned-time', row: 0, byMs: 1 })
    expect(reported[0]?.[0]).toBe(Number(truth[0]?.[0]) + 1)
    expect(reported.slice(1)).toEqual(truth.slice(1))
    const seconds = await askRows({ name: 'seconds-for-milliseconds' })
    expect(seconds.reported.map((row) => 1_000 * Number(row[0]))).toEqual(seconds.truth.map((row) => row[0]))
  })

  test('high-below-low swaps the two', async () => {
    const { reported, truth } = await askRows({ name: 'high-below-low', row: 0 })
    expect([reported[0]?.[2], reported[0]?.[3]]).toEqual([truth[0]?.[3], truth[0]?.[2]])
    expect(Number(reported[0]?.[2])).toBeLessThan(Number(reported[0]?.[3]))
  })

  test.each(['NaN', null, '1e-9', '', '0x10', '-1.00000000'])(
    'value puts %j where a number was',
    async (value) => {
      const { reported, truth } = await askRows({ name: 'value', row: 2, column: 4, value })
      expect(reported).toEqual(truth.with(2, truth[2]?.with(4, value ?? Number.NaN) ?? []).map(asSent))
    },
  )

  test('value reaches the fields of a coin too', async () => {
    const fault = { name: 'value', row: 0, column: 'current_price', value: null } as const
    await using exchange = await play({ faults: [{ source: 'coingecko', when: 'always', fault }] })
    expect((await exchange.coingecko('coins/markets?vs_currency=usd&ids=bitcoin')).text).toContain(
      '"current_price":null',
    )
  })

  test('missing-column leaves a row one short', async () => {
    const { reported, truth } = await askRows({ name: 'missing-column', row: 0, column: 5 })
    expect(reported[0]).toEqual(truth[0]?.toSpliced(5, 1))
  })

  test('revision changes one closed candle in every answer that holds it', async () => {
    const openTime = plus(floorTo('1m', halfPast), -2 * minute)
    const fault = { name: 'revision', openTime, column: 5, value: '1.00000000' } as const
    await using exchange = await play({ faults: [{ query: { interval: '1m' }, when: 'always', fault }] })
    for (const limit of [3, 5]) {
      const rows = rowsOf(await exchange.binance(`klines?symbol=BTCUSDT&interval=1m&limit=${limit}`))
      expect(rows.filter((row) => row[5] === '1.00000000').map((row) => row[0])).toEqual([openTime])
    }
  })

  test('ignored-start answers the newest rows whatever the start', async () => {
    const faults = [{ when: 'always', fault: { name: 'ignored-start' } }] as const
    await using exchange = await play({ faults })
    const rows = rowsOf(await exchange.binance(`${path}&startTime=${toInstant(halfPast - day)}`))
    expect(rows.at(-1)?.[0]).toBe(floorTo('1m', halfPast))
  })

  test('a refusal has no rows to lie about', async () => {
    await using exchange = await play({ faults: [{ when: 'always', fault: { name: 'disorder' } }] })
    expect(json(await exchange.binance('klines?symbol=NOPEUSDT&interval=1m'))).toMatchObject({ code: -1121 })
  })
})

/** JSON knows no NaN: it is sent as null. */
const asSent = (row: readonly (string | number)[]) => JSON.parse(JSON.stringify(row))

describe('another delivery', () => {
  test('cut ends the JSON at the byte, with headers that agree', async () => {
    const { reported, truth } = await ask({ name: 'cut', atByte: 100 })
    expect(reported.text).toBe(truth.text.slice(0, 100))
    expect(reported.headers.get('content-length')).toBe('100')
    expect(() => json(reported)).toThrow(SyntaxError)
  })

  test.each([
    { name: 'reset', when: 'before-answer' },
    { name: 'reset', when: 'within-body' },
    { name: 'too-long-length', bytes: 10 },
  ] satisfies InjectedFault[])('%o breaks the connection', async (fault) => {
    await using exchange = await play({ faults: [{ when: { nth: 1 }, fault }] })
    await expect(exchange.binance(path)).rejects.toThrow()
    expect((await exchange.binance(path)).status).toBe(200)
  })

  test('stall answers nothing until the exchange is closed', async () => {
    const exchange = await play({ faults: [{ when: { nth: 1 }, fault: { name: 'stall' } }] })
    const stalled = exchange.binance('ping').then(
      () => 'answered',
      () => 'hung up on',
    )
    const hasArrived = () => exchange.requests.some(({ source }) => source === 'binance')
    while (!hasArrived()) await exchange.coingecko('ping')
    expect((await exchange.binance('ping')).status).toBe(200)
    await exchange.close()
    expect(await stalled).toBe('hung up on')
  })

  test('drip sends the whole truth, a few bytes at a time', async () => {
    await using exchange = await play({
      faults: [{ when: 'always', fault: { name: 'drip', bytes: 300, everyMs: 1 } }],
    })
    const response = await fetch(`${exchange.urlOf('binance')}/api/v3/${path}`)
    const pieces: number[] = []
    for await (const piece of response.body ?? []) pieces.push(piece.length)
    exchange.setFaults([])
    expect(pieces.reduce((sum, length) => sum + length, 0)).toBe((await exchange.binance(path)).text.length)
    expect(pieces.length).toBeGreaterThan(1)
  })

  test.each([false, true])('huge-body streams its megabytes, compressed: %s', async (gzip) => {
    const { reported } = await ask({ name: 'huge-body', megabytes: 2, gzip })
    expect(reported.text.length).toBeGreaterThanOrEqual(2 * 1_024 * 1_024)
    expect(reported.headers.get('content-encoding')).toBe(gzip ? 'gzip' : null)
  })

  test('huge-body stops when the reader hangs up', async () => {
    const fault = { name: 'huge-body', megabytes: 4_096, gzip: false } as const
    await using exchange = await play({ faults: [{ when: 'always', fault }] })
    const reading = new AbortController()
    const response = await fetch(`${exchange.urlOf('binance')}/api/v3/ping`, { signal: reading.signal })
    reading.abort()
    await expect(response.text()).rejects.toThrow()
  })
})

describe('a plan', () => {
  const fault: InjectedFault = { name: 'server-error', status: 500 }

  async function statuses(exchange: Playing, count: number): Promise<number[]> {
    const seen: number[] = []
    for (let asked = 0; asked < count; asked++) seen.push((await exchange.binance('ping')).status)
    return seen
  }

  test.each([
    ['always', [500, 500, 500, 500]],
    [{ nth: 2 }, [200, 500, 200, 200]],
    [{ first: 2 }, [500, 500, 200, 200]],
    [{ every: 2 }, [200, 500, 200, 500]],
  ] satisfies [When, number[]][])('strikes %j', async (when, expected) => {
    await using exchange = await play({ faults: [{ when, fault }] })
    expect(await statuses(exchange, 4)).toEqual(expected)
  })

  test('strikes by chance, the same for the same seed', async () => {
    const strikes = async (seed: number) => {
      await using exchange = await play({ limits: 'none', faults: [{ when: { chance: 0.3, seed }, fault }] })
      // Awaited here, or the exchange would be closed before it is asked.
      return await statuses(exchange, 100)
    }
    const first = await strikes(7)
    expect(await strikes(7)).toEqual(first)
    expect(await strikes(8)).not.toEqual(first)
    expect(first.filter((status) => status === 500).length).toBeGreaterThan(15)
    expect(first.filter((status) => status === 500).length).toBeLessThan(45)
  })

  test('strikes only whom it names, and can be replaced', async () => {
    const rule = {
      source: 'binance',
      path: '/api/v3/klines',
      query: { symbol: 'BTCUSDT' },
      when: 'always',
      fault,
    } as const
    await using exchange = await play({ faults: [rule] })
    expect((await exchange.binance(path)).status).toBe(500)
    expect((await exchange.binance('klines?symbol=ETHUSDT&interval=1m')).status).toBe(200)
    expect((await exchange.coingecko('ping')).status).toBe(200)
    exchange.setFaults([])
    expect((await exchange.binance(path)).status).toBe(200)
  })

  test('is written into the list of requests', async () => {
    await using exchange = await play({
      faults: [{ when: 'always', fault: { name: 'reset', when: 'before-answer' } }],
    })
    await expect(exchange.binance('ping')).rejects.toThrow()
    expect(exchange.requests.at(-1)).toMatchObject({ status: null, fault: 'reset' })
  })
})

describe('in an envelope', () => {
  const row = { t: '1709294400', h: new WrittenNumber('1.8E-4'), l: 2, c: '0.39' }
  const endpoint: Endpoint = {
    source: 'binance',
    limit: { windows: [] },
    route: () => ({
      weight: 1,
      answer: ok({ error: [], result: { last: 5, candles: [row, { ...row, t: '1709298000' }] } }),
    }),
    refuse: () => ({ status: 429, body: '' }),
    candles: {
      openTime: 't',
      timeUnitMs: 1_000,
      high: 'h',
      low: 'l',
      close: 'c',
      volume: 'v',
      fromParameter: 'since',
    },
  }
  const text = async (fault: InjectedFault) => {
    await using exchange = await play({ endpoints: [endpoint], faults: [{ when: { nth: 1 }, fault }] })
    return (await exchange.binance('candles')).text
  }
  const first = '{"t":"1709294400","h":1.8E-4,"l":2,"c":"0.39"}'
  const second = '{"t":"1709298000","h":1.8E-4,"l":2,"c":"0.39"}'
  const around = (...rows: string[]) => `{"error":[],"result":{"last":5,"candles":[${rows.join(',')}]}}`

  test.each([
    [{ name: 'cut', atByte: 1_000 }, around(first, second)],
    [{ name: 'no-rows' }, around()],
    [{ name: 'disorder' }, around(second, first)],
    [{ name: 'high-below-low', row: 0 }, around('{"t":"1709294400","h":2,"l":1.8E-4,"c":"0.39"}', second)],
    [{ name: 'unaligned-time', row: 0, byMs: 1 }, around(first.replace('400', '401'), second)],
    [{ name: 'conflicting-duplicate', row: 0 }, around(first, first.replace('0.39', '0.38'), second)],
    [{ name: 'one-row-more' }, around(first.replace('4400', '0800'), first, second)],
    [
      { name: 'seconds-for-milliseconds' },
      around(...[first, second].map((one) => one.replace('00"', '00000"'))),
    ],
    [{ name: 'missing-column', row: 1, column: 'l' }, around(first, second.replace('"l":2,', ''))],
  ] satisfies [InjectedFault, string][])(
    '%o changes the rows, as they are written',
    async (fault, reported) => {
      expect(await text(fault)).toBe(reported)
    },
  )
})
