import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { Aborted, RateLimited } from '../../src/fault.ts'
import { chunksOf, planBackfill } from '../../src/ingest/backfill/plan.ts'
import { day, minute } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import type { Timeframe } from '../../src/market/timeframe.ts'
import type { InjectedFault } from '../../src/replay/faults/injected-fault.ts'
import { readCandles } from '../../src/store/candles.ts'
import { listCoins } from '../../src/store/coins.ts'
import { readCoverage } from '../../src/store/coverage.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { follow, keptReport, startWorking, truth, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { aCoin, at, writeCoverage } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'

const symbol = 'BTCUSDT'

/** A day with five minutes in two stretches in which the exchange was away. */
const withHoles: AlignedRange = { from: at('2024-02-25T00:00Z'), to: at('2024-02-26T00:00Z') }
const quietDay: AlignedRange = { from: at('2024-02-13T00:00Z'), to: at('2024-02-14T00:00Z') }

const payloadOf = (
  coinId: string,
  { from, to }: AlignedRange,
  archive?: 'monthly' | 'daily',
  timeframe: Timeframe = '1m',
  market = symbol,
) =>
  backfillCandles.payload.parse({
    source: 'binance',
    symbol: market,
    coinId,
    timeframe,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    ...(archive ? { archive } : {}),
  })

const fromFile = (
  { context }: Working,
  coinId: string,
  range: AlignedRange,
  kind: 'monthly' | 'daily' = 'daily',
  report = keptReport(),
) => backfillCandles.run(context, payloadOf(coinId, range, kind), report)

const stored = (pool: Pool, coinId: string, range: AlignedRange, timeframe: Timeframe = '1m') =>
  readCandles(databaseOf(pool), { coinId, timeframe }, range, 100_000)

const coverage = (pool: Pool, coinId: string, range: AlignedRange) =>
  readCoverage(databaseOf(pool), { coinId, timeframe: '1m' }, range)

const askedOf = ({ exchange }: Working, source: string): string[] =>
  exchange.requests.filter((request) => request.source === source).map(({ path }) => path)

const unused = ({ log }: Working) => log.events.filter(({ event }) => event === 'archive.file-not-used')

describe('a backfill from a file', () => {
  test('leaves the same rows and the same coverage as asking page by page', async ({ pool }) => {
    await using working = await startWorking(pool)
    const [byFile, byPage] = [await aCoin(pool), await aCoin(pool)]
    const outcome = await fromFile(working, byFile, withHoles)
    await backfillCandles.run(working.context, payloadOf(byPage, withHoles), keptReport())
    expect(await stored(pool, byFile, withHoles)).toEqual(truth(symbol, '1m', withHoles))
    expect(await stored(pool, byFile, withHoles)).toEqual(await stored(pool, byPage, withHoles))
    expect(await coverage(pool, byFile, withHoles)).toEqual(await coverage(pool, byPage, withHoles))
    expect(outcome).toMatchObject({ new: 1_435, revised: 0, quarantined: 0 })
  })

  test('asks the exchange only for what the file leaves out, in one request', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    expect(await fromFile(working, coinId, withHoles)).toMatchObject({ requests: 1 })
    const [asked = ''] = askedOf(working, 'binance')
    expect(asked).toContain(`startTime=${at('2024-02-25T15:42Z')}`)
    expect(asked).toContain(`endTime=${at('2024-02-25T17:50Z') - 1}`)
    const name = `/data/spot/daily/klines/${symbol}/1m/${symbol}-1m-2024-02-25.zip`
    expect(askedOf(working, 'binance-archive')).toEqual([`${name}.CHECKSUM`, name])
  })

  test('again asks nobody for anything', async ({ pool }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    await fromFile(working, coinId, withHoles)
    const { length } = working.exchange.requests
    expect(await fromFile(working, coinId, withHoles)).toMatchObject({ received: 0, requests: 0 })
    expect(working.exchange.requests).toHaveLength(length)
  })

  test('of times in microseconds is the same', async ({ pool }) => {
    await using working = await startWorking(pool, { now: at('2025-02-20T12:00Z') })
    const coinId = await aCoin(pool)
    const range = { from: at('2025-01-02T00:00Z'), to: at('2025-01-03T00:00Z') }
    await fromFile(working, coinId, range)
    expect(await stored(pool, coinId, range)).toEqual(truth(symbol, '1m', range, at('2025-02-20T12:00Z')))
    expect(unused(working)).toEqual([])
  })

  test('of a symbol in Chinese is the same', async ({ pool }) => {
    await using working = await startWorking(pool)
    const [byFile, byPage] = [await aCoin(pool), await aCoin(pool)]
    const [market, { context }] = ['币安人生USDT', working]
    await backfillCandles.run(context, payloadOf(byFile, quietDay, 'daily', '1m', market), keptReport())
    expect(askedOf(working, 'binance')).toEqual([])
    await backfillCandles.run(context, payloadOf(byPage, quietDay, undefined, '1m', market), keptReport())
    expect(await stored(pool, byFile, quietDay)).toEqual(truth(market, '1m', quietDay))
    expect(await stored(pool, byPage, quietDay)).toEqual(truth(market, '1m', quietDay))
    expect(unused(working)).toEqual([])
  })

  test('leaves alone what is there from another source, or lies outside of what was asked for', async ({
    pool,
  }) => {
    await using working = await startWorking(pool)
    const coinId = await aCoin(pool)
    const elsewhere = { from: plus(quietDay.from, 10 * minute), to: plus(quietDay.from, 20 * minute) }
    await inTransaction(pool, (tx) =>
      writeCoverage(
        tx.db,
        { coinId, timeframe: '1m', source: 'kraken' },
        { stored: [elsewhere], refused: [], 'no-trades': [] },
        halfPast,
      ),
    )
    const asked = { from: quietDay.from, to: plus(quietDay.from, 100 * minute) }
    expect(await fromFile(working, coinId, asked)).toMatchObject({ received: 90, new: 90 })
    const expected = truth(symbol, '1m', asked).filter(
      ({ openTime }) => openTime < elsewhere.from || openTime >= elsewhere.to,
    )
    expect(await stored(pool, coinId, quietDay)).toEqual(expected)
  })

  test('that is stopped keeps its file, and the next one asks for what the file left out and no more', async ({
    pool,
  }) => {
    const stop = new AbortController()
    await using working = await startWorking(pool, { signal: stop.signal })
    const coinId = await aCoin(pool)
    const month = { from: at('2024-01-01T00:00Z'), to: at('2024-02-01T00:00Z') }
    const payload = payloadOf(coinId, month, 'monthly')
    const steps: number[] = []
    const stopping = {
      ...keptReport(),
      progress: async (done: number) => {
        steps.push(done)
        stop.abort()
      },
    }
    await expect(backfillCandles.run(working.context, payload, stopping)).rejects.toThrow(Aborted)
    const kept = (await stored(pool, coinId, month)).length
    expect([steps, kept]).toEqual([[44_640], 44_616])
    const fresh = { ...working.context, signal: new AbortController().signal }
    const expected = truth(symbol, '1m', month)
    expect(await backfillCandles.run(fresh, payload, keptReport())).toMatchObject({
      new: expected.length - kept,
      revised: 0,
    })
    expect(await stored(pool, coinId, month)).toEqual(expected)
    expect(unused(working)).toEqual([])
  })

  test('that is stopped before its file has come brings nothing', async ({ pool }) => {
    await using working = await startWorking(pool, { signal: AbortSignal.abort() })
    const coinId = await aCoin(pool)
    await expect(fromFile(working, coinId, quietDay)).rejects.toThrow(Aborted)
    expect(await stored(pool, coinId, quietDay)).toEqual([])
    expect(await coverage(pool, coinId, quietDay)).toEqual([])
    expect(unused(working)).toEqual([])
  })

  test('waits when the archive says so, and asks nobody else meanwhile', async ({ pool }) => {
    const fault: InjectedFault = { name: 'rate-limited', retryAfterSeconds: 7 }
    await using working = await startWorking(pool, {
      faults: [{ source: 'binance-archive', when: 'always', fault }],
    })
    const coinId = await aCoin(pool)
    const failed = fromFile(working, coinId, quietDay).catch((error: unknown) => error)
    expect(await failed).toBeInstanceOf(RateLimited)
    expect(await failed).toMatchObject({ waitMs: 7_000 })
    expect(askedOf(working, 'binance')).toEqual([])
  })

  const zip = `/data/spot/daily/klines/${symbol}/1m/${symbol}-1m-2024-02-13.zip`

  test.for([
    ['the zip', zip, { name: 'reset', when: 'within-body' }],
    ['the zip', zip, { name: 'reset', when: 'before-answer' }],
    ['the zip', zip, { name: 'server-error', status: 502 }],
    ['the zip', zip, { name: 'cut', atByte: 10_000 }],
    ['the checksum', `${zip}.CHECKSUM`, { name: 'reset', when: 'before-answer' }],
    ['the checksum', `${zip}.CHECKSUM`, { name: 'server-error', status: 500 }],
  ] satisfies [string, string, InjectedFault][])(
    'that loses %s once (%o) is tried again, and asks the exchange for nothing',
    async ([, path, fault], { pool }) => {
      await using working = await startWorking(pool, { faults: [{ path, when: { nth: 1 }, fault }] })
      const coinId = await aCoin(pool)
      await expect(fromFile(working, coinId, quietDay)).rejects.toMatchObject({ remedy: 'retry' })
      expect(await coverage(pool, coinId, quietDay)).toEqual([])
      const again = await fromFile(working, coinId, quietDay, 'daily', keptReport(2))
      expect(again).toMatchObject({ files: 1, fileRequests: 2, requests: 0 })
      expect(await stored(pool, coinId, quietDay)).toEqual(truth(symbol, '1m', quietDay))
      expect(askedOf(working, 'binance')).toEqual([])
      expect(askedOf(working, 'binance-archive').length).toBeLessThanOrEqual(4)
      expect(unused(working)).toEqual([])
    },
  )

  test('that is not there is not tried again', async ({ pool }) => {
    const faults = [{ path: `${zip}.CHECKSUM`, when: 'always', fault: { name: 'missing-file' } }] as const
    await using working = await startWorking(pool, { faults })
    const coinId = await aCoin(pool)
    expect(await fromFile(working, coinId, quietDay)).toMatchObject({
      files: 0,
      fileRequests: 1,
      requests: 2,
    })
    expect(await stored(pool, coinId, quietDay)).toEqual(truth(symbol, '1m', quietDay))
  })

  test.for([
    { name: 'missing-file' },
    { name: 'wrong-checksum' },
    { name: 'wrong-month' },
    { name: 'cut', atByte: 60 },
    { name: 'cut', atByte: 10_000 },
    { name: 'reset', when: 'within-body' },
    { name: 'too-long-length', bytes: 10 },
    { name: 'html' },
    { name: 'firewall' },
    { name: 'server-error', status: 503 },
    { name: 'redirect', to: 'http://192.0.2.1/' },
  ] satisfies InjectedFault[])(
    'that gets %o at the third try too asks the exchange for that span alone, and stores the truth',
    async (fault, { pool }) => {
      const faults = [zip, `${zip}.CHECKSUM`].map((path) => ({ path, when: 'always', fault }) as const)
      await using working = await startWorking(pool, { faults })
      const coinId = await aCoin(pool)
      const after = { from: quietDay.to, to: plus(quietDay.to, day) }
      for (const range of [quietDay, after]) await fromFile(working, coinId, range, 'daily', keptReport(3))
      const both = { from: quietDay.from, to: after.to }
      expect(await stored(pool, coinId, both)).toEqual(truth(symbol, '1m', both))
      expect(unused(working).map(({ level, fields }) => [level, fields])).toEqual([
        ['warn', { file: `${symbol}-1m-2024-02-13`, reason: expect.any(String) }],
      ])
      const times = askedOf(working, 'binance').map((path) =>
        Number(new URLSearchParams(path.split('?')[1]).get('startTime')),
      )
      expect(times).toEqual([quietDay.from, plus(quietDay.from, 1_000 * minute)])
    },
  )
})

describe('a plan with files', () => {
  test('is exact about files and requests', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await follow(pool, symbol)
    const { context, exchange } = working
    const request = {
      coinIds: ['bitcoin'],
      timeframes: ['1m', '1h'] as const,
      range: { from: at('2024-02-13T00:00Z'), to: at('2024-02-16T12:00Z') },
    }
    const planned = await planBackfill(
      pool,
      context.settings,
      await listCoins(databaseOf(pool)),
      request,
      halfPast,
    )
    expect(planned).toMatchObject({ archive: { monthly: 0, daily: 3, requests: 6 }, requests: 2 })
    for (const series of planned.series) {
      for (const chunk of chunksOf(series, 5_000, 'from-start'))
        await backfillCandles.run(context, backfillCandles.payload.parse(chunk), keptReport())
    }
    expect(askedOf(working, 'binance')).toHaveLength(planned.requests)
    expect(askedOf(working, 'binance-archive')).toHaveLength(planned.archive.requests)
    expect(exchange.requests.every(({ status }) => status === 200)).toBe(true)
    expect(await stored(pool, 'bitcoin', request.range)).toEqual(truth(symbol, '1m', request.range))
  })

  test('names the archive as a source, and asks for none where Binance has been replaced', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, symbol)
    const coins = await listCoins(databaseOf(pool))
    const { settings } = working.context
    const request = { coinIds: ['bitcoin'], timeframes: ['1h'] as const, range: withHoles }
    const planWith = (baseUrls: Record<string, string>, source?: string) =>
      planBackfill(
        pool,
        { ...settings, environment: { ...settings.environment, baseUrls } },
        coins,
        { ...request, timeframes: source ? ['1h'] : ['1m'], ...(source ? { source } : {}) },
        halfPast,
      )
    const mirror = { binance: 'http://mirror' }
    expect(await planWith({}, 'binance-archive')).toMatchObject({ archive: { daily: 1 }, requests: 0 })
    expect(await planWith({})).toMatchObject({ archive: { daily: 1 }, requests: 0 })
    expect(await planWith(mirror)).toMatchObject({ archive: { daily: 0 }, requests: 2 })
    await expect(planWith(mirror, 'binance-archive')).rejects.toThrow(/set BINANCE_ARCHIVE_BASE_URL too/)
  })
})

test.for([
  ['of another source', { source: 'kraken' }],
  ['of another file too', { to: '2024-02-14T00:01:00Z' }],
  ['of no kind', { archive: 'yearly' }],
] as const)('a payload with a file %s is refused', ([, wrong]) => {
  const good = { ...payloadOf('bitcoin', quietDay, 'daily'), from: '2024-02-13T00:00:00Z' }
  expect(backfillCandles.payload.safeParse(good).success).toBe(true)
  expect(backfillCandles.payload.safeParse({ ...good, ...wrong }).success).toBe(false)
})
