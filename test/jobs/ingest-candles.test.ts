import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { divide, ingestCandles, patternAfterClose } from '../../jobs/ingest-candles.ts'
import { Blocked, RateLimited, Unavailable } from '../../src/fault.ts'
import { day, type Instant, minute, toIso } from '../../src/market/instant.ts'
import { type AlignedRange, contains } from '../../src/market/range.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { readSettings } from '../../src/settings.ts'
import { readCandles } from '../../src/store/candles.ts'
import type { Coin } from '../../src/store/coins.ts'
import { readUnresolvedOf } from '../../src/store/coverage/series.ts'
import { readCoverage } from '../../src/store/coverage.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { follow, keptReport, klinesAsked, startWorking, truth, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { minutes } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'

const payload = { source: 'binance', timeframe: '1m' } as const
const ingest = ({ context }: Working) => ingestCandles.run(context, payload, keptReport())

/** The open minute: what comes before it is closed. */
const open = floorTo('1m', halfPast)
const lastMinutes = (count: number): AlignedRange => ({ from: plus(open, -count * minute), to: open })

const stored = (pool: Pool, coinId: string, range: AlignedRange = lastMinutes(3_000)) =>
  readCandles(databaseOf(pool), { coinId, timeframe: '1m' }, range, 100_000)

describe('after a close', () => {
  test('the newest page of every followed market is there, and the older history goes to the backfill', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const coins = [await follow(pool, 'BTCUSDT'), await follow(pool, 'ETHUSDT')]
    expect(await ingest(working)).toMatchObject({ markets: 2, received: 2_000, new: 2_000, requests: 2 })
    expect(await stored(pool, 'bitcoin')).toEqual(truth('BTCUSDT', '1m', lastMinutes(1_000)))
    expect(await stored(pool, 'ethereum')).toEqual(truth('ETHUSDT', '1m', lastMinutes(1_000)))
    const symbols = new Map([
      ['bitcoin', 'BTCUSDT'],
      ['ethereum', 'ETHUSDT'],
    ])
    const chunkOf = (coinId: string) => ({
      source: 'binance',
      symbol: symbols.get(coinId),
      coinId,
      timeframe: '1m',
      from: toIso(plus(open, -day)),
      to: toIso(lastMinutes(1_000).from),
    })
    const byCoin = working.enqueued.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    expect(byCoin).toEqual(
      coins.map((coinId) => ({ jobName: 'backfill-candles', payloads: [chunkOf(coinId)] })),
    )
  })

  test('the next minute costs one request for three candles, two of which are there', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    await ingest(working)
    working.exchange.clock.move(minute)
    expect(await ingest(working)).toMatchObject({ received: 2, new: 1, unchanged: 1, requests: 1 })
    expect(klinesAsked(working).at(-1)).toEqual({
      symbol: 'BTCUSDT',
      from: plus(open, -minute),
      to: plus(open, minute),
    })
  })

  test('again in the same minute changes nothing', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    await ingest(working)
    expect(await ingest(working)).toMatchObject({ received: 2, new: 0, revised: 0, unchanged: 2 })
  })

  test('before the exchange has settled the last candle is left alone', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, { now: plus(open, 2_999) })
    await follow(pool, 'BTCUSDT')
    await ingest(working)
    expect((await stored(pool, 'bitcoin')).at(-1)?.openTime).toBe(plus(open, -2 * minute))
  })

  test('the open candle is never stored', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    // Our clock runs ten minutes ahead of the exchange's.
    const hasty = { ...working.context, clock: { now: () => plus(halfPast, 10 * minute) } }
    await ingestCandles.run(hasty, payload, keptReport())
    const ahead = { from: lastMinutes(3_000).from, to: plus(open, day) }
    expect((await stored(pool, 'bitcoin', ahead)).at(-1)?.openTime).toBe(plus(open, -minute))
    const coverage = await readCoverage(databaseOf(pool), { coinId: 'bitcoin', timeframe: '1m' }, ahead)
    expect(coverage.some(({ range }) => contains(range, open))).toBe(false)
  })

  test('a correction of one of the newest two is noticed, and what it replaced is kept', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    await ingest(working)
    const openTime = plus(open, -2 * minute)
    const [true_] = truth('BTCUSDT', '1m', { from: openTime, to: plus(openTime, 1) })
    working.exchange.setFaults([
      { when: 'always', fault: { name: 'revision', openTime, column: 5, value: '1.25000000' } },
    ])
    expect(await ingest(working)).toMatchObject({ new: 0, revised: 1, unchanged: 1 })
    const { rows } = await pool.query(
      'select old_volume, new_volume, timestamp::text, run_id from candle_revisions',
    )
    expect(rows).toEqual([
      {
        old_volume: true_?.volume,
        new_volume: '1.25000000',
        timestamp: '2024-03-01 12:32:00',
        run_id: working.context.runId,
      },
    ])
    expect((await stored(pool, 'bitcoin')).at(-2)?.volume).toBe('1.25000000')
  })

  test('what was not seen unchanged yet is asked for again after a downtime, and is final then', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, { now: plus(open, 3_000) })
    await follow(pool, 'BTCUSDT')
    await ingest(working)
    const newest = { from: lastMinutes(1).from, to: open }
    const provisional = async () => {
      const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
      return (await readUnresolvedOf(databaseOf(pool), { ...series, range: lastMinutes(1_000) })).provisional
    }
    expect(await provisional()).toEqual([newest])
    working.exchange.clock.move(10 * minute)
    await ingest(working)
    expect(klinesAsked(working).at(-1)?.from).toBe(newest.from)
    expect(await provisional()).toEqual([])
  })

  test('what was missed while the daemon was down is asked for in one request', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    await ingest(working)
    working.exchange.clock.move(90 * minute)
    expect(await ingest(working)).toMatchObject({ new: 90, requests: 1 })
    const until = plus(open, 90 * minute)
    const range = { from: lastMinutes(1_000).from, to: until }
    expect(await stored(pool, 'bitcoin', range)).toEqual(truth('BTCUSDT', '1m', range, until))
  })

  test('a row that is not believed is not asked for at every tick', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool, {
      faults: [{ when: { nth: 1 }, fault: { name: 'high-below-low', row: 500 } }],
    })
    await follow(pool, 'BTCUSDT')
    expect(await ingest(working)).toMatchObject({ new: 999, quarantined: 1 })
    expect(await ingest(working)).toMatchObject({ received: 2 })
  })

  test('the candles of all markets are written in one transaction', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    for (const symbol of ['BTCUSDT', 'ETHUSDT', 'DOGEUSDT', 'SHIBUSDT', 'PEPEUSDT'])
      await follow(pool, symbol)
    expect(await ingest(working)).toMatchObject({ markets: 5, new: 5_000 })
    const { rows } = await pool.query('select count(distinct xmin::text)::integer as count from ohlcv_data')
    expect(rows).toEqual([{ count: 1 }])
  })

  test('without a followed market nobody is asked', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    expect(await ingest(working)).toMatchObject({ markets: 0, requests: 0 })
    expect(working.exchange.requests).toEqual([])
  })
})

describe('one market in trouble', () => {
  test('does not stop the others, and the failure names it', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    for (const symbol of ['BTCUSDT', 'NOPEUSDT', 'ETHUSDT', 'SHIBUSDT']) await follow(pool, symbol)
    const failing = ingest(working)
    await expect(failing).rejects.toMatchObject({ code: 'PARTLY_FAILED', remedy: 'give-up' })
    await expect(failing).rejects.toThrow(/1 of 4 markets failed: nopeusdt: .*Invalid symbol/)
    for (const coinId of ['bitcoin', 'ethereum', 'shiba-inu'])
      expect(await stored(pool, coinId)).toHaveLength(1_000)
    expect(working.enqueued).toHaveLength(3)
  })

  test('with an answer that is not whole is tried again', async ({ freshDatabase: { pool } }) => {
    const faults = [
      { query: { symbol: 'ETHUSDT' }, when: { nth: 1 }, fault: { name: 'cut', atByte: 500 } },
    ] as const
    await using working = await startWorking(pool, { faults })
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
    const failing = ingest(working)
    await expect(failing).rejects.toMatchObject({
      code: 'PARTLY_FAILED',
      remedy: 'retry',
      outcome: { markets: 2, new: 1_000 },
    })
    await expect(failing).rejects.toThrow(/1 of 2 markets failed: ethereum: /)
    expect(await ingest(working)).toMatchObject({ new: 1_000, unchanged: 2 })
  })

  test('with an error that nobody knows pauses no other, and is tried again', async ({
    freshDatabase: { pool },
  }) => {
    const fault = {
      name: 'error-answer',
      status: 400,
      body: { code: -9_999_999, msg: 'Lorem ipsum.' },
    } as const
    const faults = [{ query: { symbol: 'ETHUSDT' }, when: { nth: 1 }, fault }] as const
    await using working = await startWorking(pool, { faults })
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
    const failing = ingest(working)
    await expect(failing).rejects.toMatchObject({ code: 'PARTLY_FAILED', remedy: 'retry' })
    await expect(failing).rejects.toThrow(/1 of 2 markets failed: ethereum: .*Lorem ipsum/)
    expect(await ingest(working)).toMatchObject({ new: 1_000, unchanged: 2 })
  })

  test.for([
    [{ name: 'server-error', status: 503 }, Unavailable],
    [{ name: 'rate-limited', retryAfterSeconds: 30 }, RateLimited],
    [{ name: 'banned', retryAfterSeconds: 120 }, RateLimited],
    [{ name: 'region-refused' }, Blocked],
  ] as const)(
    'that is everybody’s (%o) ends the job, and nothing of it goes on',
    async ([fault, expectedFault], { freshDatabase: { pool } }) => {
      const query = { symbol: 'BTCUSDT' }
      await using working = await startWorking(pool, { faults: [{ query, when: 'always', fault }] })
      for (const symbol of ['BTCUSDT', 'ETHUSDT', 'DOGEUSDT', 'SHIBUSDT', 'PEPEUSDT', 'XRPUSDT'])
        await follow(pool, symbol)
      await expect(ingest(working)).rejects.toThrow(expectedFault)
      const asked = working.exchange.requests.length
      const { rows } = await pool.query(
        `select from pg_stat_activity where datname = current_database() and state = 'active' and pid <> pg_backend_pid()`,
      )
      expect(rows).toEqual([])
      expect(working.exchange.requests).toHaveLength(asked)
    },
  )
})

describe('dividing what is owed', () => {
  const wanted = minutes(0, 5_000)
  const byPage = { timeframe: '1m', pageSize: 1_000, recheck: 2 } as const
  const nothing = { missing: [], provisional: [] }

  test.for([
    ['nothing', [], minutes(4_998, 5_000), []],
    ['everything', [wanted], minutes(4_000, 5_000), [minutes(0, 4_000)]],
    ['the newest few', [minutes(4_990, 5_000)], minutes(4_990, 5_000), []],
    [
      'two stretches of the last page',
      [minutes(4_200, 4_210), minutes(4_500, 4_510)],
      minutes(4_200, 5_000),
      [],
    ],
    ['one stretch across the page', [minutes(3_990, 4_010)], minutes(4_000, 5_000), [minutes(3_990, 4_000)]],
    [
      'only old history',
      [minutes(10, 20), minutes(30, 40)],
      minutes(4_998, 5_000),
      [minutes(10, 20), minutes(30, 40)],
    ],
  ] as const)('of %s', ([, missing, recent, older]) => {
    expect(divide(wanted, { missing, provisional: [] }, byPage)).toEqual({ recent, older })
  })

  test('asks again for what is provisional, as far as one page reaches', () => {
    const provisional = [minutes(3_990, 4_010), minutes(4_700, 4_701)]
    expect(divide(wanted, { missing: [minutes(4_800, 4_900)], provisional }, byPage)).toEqual({
      recent: minutes(4_000, 5_000),
      older: [],
    })
  })

  test('asks for nothing where nothing is wanted', () => {
    const { recent, older } = divide(minutes(5, 5), nothing, byPage)
    expect([recent.from >= recent.to, older]).toEqual([true, []])
  })

  test('never asks for what is before the wanted', () => {
    expect(divide(minutes(0, 1), nothing, byPage).recent).toEqual(minutes(0, 1))
  })
})

test.for([
  ['1m', '3 * * * * *'],
  ['5m', '3 */5 * * * *'],
  ['15m', '3 */15 * * * *'],
  ['30m', '3 */30 * * * *'],
  ['1h', '3 0 * * * *'],
  ['4h', '3 0 */4 * * *'],
  ['1d', '3 0 0 * * *'],
] as const)('%s candles are asked for at %s', ([timeframe, pattern]) => {
  expect(patternAfterClose(timeframe, 3_000)).toBe(pattern)
})

const aCoin = (
  id: string,
  ...markets: { source: string; symbol: string; trackedFrom?: Instant }[]
): Coin => ({
  id,
  symbol: id,
  name: id,
  markets: markets.map((market, preference) => ({
    coinId: id,
    preference,
    trackedFrom: halfPast,
    ...market,
  })),
})

describe('the schedules', () => {
  const kept = ['1m', '5m', '1h', '1d']
  const schedulesFor = (...coins: Coin[]) => ingestCandles.schedules?.(readSettings({}), coins) ?? []
  const idsFor = (...coins: Coin[]) => schedulesFor(...coins).map(({ id }) => id)
  const onBinance = kept.map((timeframe) => `ingest-candles_binance_${timeframe}`)

  test('are one for each kept timeframe of a source in use', () => {
    const schedules = schedulesFor(
      aCoin('bitcoin', { source: 'binance', symbol: 'BTCUSDT' }),
      aCoin('ethereum', { source: 'binance', symbol: 'ETHUSDT', trackedFrom: plus(halfPast, minute) }),
    )
    expect(schedules.map(({ id }) => id)).toEqual(onBinance)
    for (const { payload: scheduled, changedAt } of schedules) {
      expect(ingestCandles.payload.parse(scheduled)).toEqual(scheduled)
      expect(changedAt).toBe(plus(halfPast, minute))
    }
  })

  test('are none for a source that no coin is read from, also where one could be', () => {
    expect(idsFor()).toEqual([])
    expect(idsFor(aCoin('bitcoin', { source: 'coingecko', symbol: 'bitcoin' }))).toEqual([])
    const second = { source: 'okx', symbol: 'BTC-USDT' }
    expect(idsFor(aCoin('bitcoin', { source: 'binance', symbol: 'BTCUSDT' }, second))).toEqual(onBinance)
    expect(idsFor(aCoin('bitcoin', second))).toEqual(
      kept.map((timeframe) => `ingest-candles_okx_${timeframe}`),
    )
  })
})

test.for([
  {},
  null,
  'binance',
  { source: 'binance' },
  { source: 'binance', timeframe: '7m' },
  { source: '__proto__', timeframe: '1m' },
  { source: 'binance', timeframe: '1m', markets: ['BTCUSDT'] },
])('a payload of %o is refused', (hostile) => {
  expect(ingestCandles.payload.safeParse(hostile).success).toBe(false)
})
