import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { day, hour, type Instant, minute, plus, toInstant } from '../../src/market/instant.ts'
import { floorTo, timeframeMs } from '../../src/market/timeframe.ts'
import { amount, candleAt, closedCandles, type ReplayCandle } from '../../src/replay/candles.ts'
import { findMarket, listedAt, type Market, markets } from '../../src/replay/markets.ts'
import { recordedMinute, recordingOf } from '../../src/replay/recording.ts'

const now = toInstant(Date.parse('2024-03-01T12:34:30Z'))

const market = (symbol: string): Market => {
  const found = findMarket(symbol)
  if (!found) throw new Error(`no market ${symbol}`)
  return found
}

/** The lines of a recording as they stand in the file. */
function linesOf({ recording }: Market): string[][] {
  const file = new URL(`../../src/replay/recordings/${recording}`, import.meta.url)
  const lines = gunzipSync(readFileSync(file)).toString().trim().split('\n')
  return lines.slice(1).map((line) => line.split(','))
}

const units = (text: string): bigint => BigInt(text.replace('.', ''))

/** What a candle of these minutes must be, added up the slow way. */
function addedUp(minutes: readonly ReplayCandle[]) {
  const sorted = (pick: (candle: ReplayCandle) => string) =>
    minutes.map(pick).toSorted((a, b) => (units(a) < units(b) ? -1 : 1))
  const sum = (pick: (candle: ReplayCandle) => string) =>
    amount(
      minutes.reduce((total, candle) => total + units(pick(candle)), 0n),
      8,
    )
  return {
    open: minutes[0]?.open,
    high: sorted(({ high }) => high).at(-1),
    low: sorted(({ low }) => low)[0],
    close: minutes.at(-1)?.close,
    volume: sum(({ volume }) => volume),
    quoteVolume: sum(({ quoteVolume }) => quoteVolume),
    trades: minutes.reduce((total, { trades }) => total + trades, 0),
  }
}

describe.each(markets)('$symbol', (played) => {
  test('plays its recording from the listing on, one recorded candle a minute, digits as recorded', () => {
    const lines = linesOf(played)
    const step = Math.min(...lines.slice(1).map((line, i) => Number(line[0]) - Number(lines[i]?.[0])))
    const expected = lines.map(([time = '', ...values]) => {
      const openTime = listedAt + ((Number(time) - Number(lines[0]?.[0])) / step) * minute
      return [openTime, ...values.map((value) => withPlaces(value))].join()
    })
    const range = { from: listedAt, to: plus(listedAt, recordingOf(played).slots * minute) }
    const rows = closedCandles(played.symbol, '1m', range, now)
    expect(
      rows.map(({ openTime, open, high, low, close, volume }) =>
        [openTime, open, high, low, close, volume].join(),
      ),
    ).toEqual(expected)
  })

  test('begins again after its last candle, for ever', () => {
    const period = recordingOf(played).slots * minute
    for (const rounds of [1, 7, 100])
      expect(recordedMinute(played, plus(listedAt, 5 * minute + rounds * period))).toEqual(
        recordedMinute(played, plus(listedAt, 5 * minute)),
      )
  })

  test('the day in which it begins again is its minutes added up too', () => {
    const openTime = floorTo('1d', plus(listedAt, recordingOf(played).slots * minute))
    const range = { from: openTime, to: plus(openTime, day) }
    const minutes = closedCandles(played.symbol, '1m', range, now)
    expect(closedCandles(played.symbol, '1d', range, now)).toMatchObject([addedUp(minutes)])
  })

  test('a quote volume is volume times close, rounded half up to eight places', () => {
    const range = { from: listedAt, to: plus(listedAt, 500 * minute) }
    for (const { volume, close, quoteVolume } of closedCandles(played.symbol, '1m', range, now))
      expect(units(quoteVolume)).toBe((units(volume) * units(close) + 50_000_000n) / 100_000_000n)
  })

  test('has no candle before its listing', () => {
    expect(recordedMinute(played, plus(listedAt, -minute))).toBeUndefined()
    expect(closedCandles(played.symbol, '1m', { from: toInstant(0), to: listedAt }, now)).toEqual([])
  })

  test('a coarser candle is exactly its minutes added up', () => {
    const coarser = fc.constantFrom('5m', '15m', '30m', '1h', '4h', '1d')
    const whenever = fc.integer({ min: listedAt, max: now - 2 * day })
    fc.assert(
      fc.property(coarser, whenever, (timeframe, epochMs) => {
        const openTime = floorTo(timeframe, toInstant(epochMs))
        const range = { from: openTime, to: plus(openTime, timeframeMs[timeframe]) }
        const [candle] = closedCandles(played.symbol, timeframe, range, now)
        expect(candle).toMatchObject(addedUp(closedCandles(played.symbol, '1m', range, now)))
      }),
      { numRuns: 40 },
    )
  })
})

const withPlaces = (value: string): string => {
  const [whole = '', fraction = ''] = value.split('.')
  return `${whole}.${fraction.padEnd(8, '0')}`
}

test('a minute the exchange never recorded is missing, and its hour goes without it', () => {
  const btc = market('BTCUSDT')
  const hole = toInstant(listedAt + recordingOf(btc).present.indexOf(0) * minute)
  expect(closedCandles('BTCUSDT', '1m', { from: hole, to: plus(hole, minute) }, now)).toEqual([])
  const openTime = floorTo('1h', hole)
  const range = { from: openTime, to: plus(openTime, hour) }
  const minutes = closedCandles('BTCUSDT', '1m', range, now)
  expect(minutes.length).toBeLessThan(60)
  expect(closedCandles('BTCUSDT', '1h', range, now)[0]).toMatchObject(addedUp(minutes))
})

test('the day of the listing holds only the minutes since', () => {
  const midnight = floorTo('1d', listedAt)
  const [first] = closedCandles('ETHUSDT', '1d', { from: toInstant(0), to: plus(midnight, day) }, now)
  expect(first).toMatchObject({ openTime: midnight, open: '301.13000000' })
})

test('the candle still open is not among the closed ones, the one that closes this very millisecond is', () => {
  const closing = toInstant(Date.parse('2024-03-01T12:35:00Z'))
  const range = { from: plus(closing, -5 * minute), to: plus(closing, hour) }
  const lastOpen = (at: Instant) => closedCandles('BTCUSDT', '1m', range, at).at(-1)?.openTime
  expect(lastOpen(closing)).toBe(closing - minute)
  expect(lastOpen(plus(closing, -1))).toBe(closing - 2 * minute)
})

describe('an open candle', () => {
  const series = { market: market('BTCUSDT'), timeframe: '1m' } as const
  const openTime = floorTo('1m', now)
  const at = (elapsedMs: number) => candleAt(series, openTime, plus(openTime, elapsedMs))

  test('begins at its recorded open without volume', () => {
    const opened = at(0)
    expect(opened).toMatchObject({ close: opened?.open, high: opened?.open, volume: '0.00000000', trades: 0 })
  })

  test('moves within what was recorded, and ends as recorded', () => {
    const [closed] = closedCandles(
      'BTCUSDT',
      '1m',
      { from: openTime, to: plus(openTime, minute) },
      plus(now, hour),
    )
    const seen = [1_000, 20_000, 45_000, 59_999].map(at)
    for (const candle of seen) {
      expect(Number(candle?.high)).toBeLessThanOrEqual(Number(closed?.high))
      expect(Number(candle?.low)).toBeGreaterThanOrEqual(Number(closed?.low))
      expect(Number(candle?.high)).toBeGreaterThanOrEqual(
        Math.max(Number(candle?.open), Number(candle?.close)),
      )
      expect(Number(candle?.low)).toBeLessThanOrEqual(Math.min(Number(candle?.open), Number(candle?.close)))
    }
    expect(new Set(seen.map((candle) => candle?.volume)).size).toBe(4)
    expect(at(minute)).toEqual(closed)
  })

  test('of an hour holds the minutes so far and the one that runs', () => {
    const hourOpen = floorTo('1h', now)
    const minutes = closedCandles('BTCUSDT', '1m', { from: hourOpen, to: openTime }, now)
    const running = candleAt(series, openTime, now)
    if (!running) throw new Error('the running minute is recorded')
    expect(candleAt({ ...series, timeframe: '1h' }, hourOpen, now)).toMatchObject(
      addedUp([...minutes, running]),
    )
  })
})

test('refuses a symbol it does not list', () => {
  expect(() => closedCandles('NOPEUSDT', '1m', { from: listedAt, to: now }, now)).toThrow(RangeError)
})
