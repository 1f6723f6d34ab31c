import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { ingestPrices } from '../../jobs/ingest-prices.ts'
import { Aborted, Unavailable } from '../../src/fault.ts'
import { minute, plus } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import type { SourceId } from '../../src/settings/source-ids.ts'
import { readSettings } from '../../src/settings.ts'
import { trackMarket, upsertCoin } from '../../src/store/coins.ts'
import { listPartitions } from '../../src/store/lifecycle/list-partitions.ts'
import { readLatestPrices } from '../../src/store/prices.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { count, follow, keptReport, startWorking, truth, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { test } from '../support/database.ts'

const ingest = ({ context }: Working, report = keptReport()) => ingestPrices.run(context, {}, report)
const open = floorTo('1m', halfPast)

/** The close of the newest closed minute, which is the price of the replay. */
const lastClose = (symbol: string) => truth(symbol, '1m', { from: plus(open, -minute), to: open })[0]?.close

const latest = (pool: Pool, ...coins: string[]) => readLatestPrices(databaseOf(pool), coins)

/** Follows one more market of a coin that is followed on Binance. */
const followAlso = (pool: Pool, coinId: string, source: SourceId, symbol: string) =>
  inTransaction(pool, (tx) => trackMarket(tx, { coinId, source, symbol }, halfPast))

const down = (source: SourceId) =>
  ({ source, when: 'always', fault: { name: 'server-error', status: 503 } }) as const

describe('prices', () => {
  test('of every tracked coin come from CoinGecko, with what it knows of them', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    for (const symbol of ['BTCUSDT', 'SHIBUSDT']) await follow(pool, symbol)
    expect(await ingest(working)).toEqual({
      coins: 2,
      priced: { coingecko: 2 },
      unpriced: {},
      // Their first prices are compared with those of another source.
      received: 4,
      new: 2,
      unchanged: 0,
      quarantined: 0,
      withoutPrice: 0,
      confirming: 2,
      droppedValues: 0,
      roundedValues: expect.any(Number),
      requests: 2,
    })
    const prices = new Map((await latest(pool)).map((price) => [price.coinId, price]))
    expect(prices.get('bitcoin')).toMatchObject({
      symbol: 'BTC',
      price: lastClose('BTCUSDT'),
      timestamp: open,
    })
    expect(prices.get('shiba-inu')).toMatchObject({ symbol: 'SHIB', price: lastClose('SHIBUSDT') })
    const { rows } = await pool.query(`select name, image_url from coins where id = 'bitcoin'`)
    expect(rows).toEqual([{ name: 'Bitcoin', image_url: expect.stringMatching(/^https:.*bitcoin\.png/) }])
    const supply = await pool.query(
      `select coin_id, max_supply, circulating_supply from market_data order by coin_id`,
    )
    expect(supply.rows).toEqual([
      { coin_id: 'bitcoin', max_supply: '21000000.00000000', circulating_supply: '20030493.00000000' },
      { coin_id: 'shiba-inu', max_supply: null, circulating_supply: '589245723120439.00000000' },
    ])
    expect((await listPartitions(pool, ['market_data'])).map(({ name }) => name)).toEqual([
      'market_data_y2024m03d01',
    ])
  })

  test('that have not changed since are not written twice', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    await ingest(working)
    expect(await ingest(working)).toMatchObject({ received: 1, new: 0, unchanged: 1 })
    working.exchange.clock.move(5 * minute)
    expect(await ingest(working)).toMatchObject({ received: 1, new: 1, unchanged: 0 })
    expect(await count(pool, 'market_data')).toBe(2)
  })

  test('come from binance when coingecko is down, and that is told', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool, { faults: [down('coingecko')] })
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
    const report = keptReport()
    expect(await ingest(working, report)).toMatchObject({ priced: { binance: 2 }, received: 2, new: 2 })
    expect(report.lines).toEqual([expect.stringMatching(/^coingecko gave no prices: .*503/)])
    expect(working.log.events).toMatchObject([
      { level: 'debug', event: 'prices.source-failed', fields: { source: 'coingecko' } },
    ])
    expect(await latest(pool, 'bitcoin')).toMatchObject([
      { marketCap: null, rank: null, timestamp: halfPast },
    ])
  })

  test('come from binance for every market but the one that it does not know', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, { faults: [down('coingecko')] })
    for (const symbol of ['BTCUSDT', 'ETHUSDT', 'NOPEUSDT', 'XRPUSDT']) await follow(pool, symbol)
    expect(await ingest(working)).toMatchObject({
      coins: 4,
      priced: { binance: 3 },
      unpriced: { nopeusdt: expect.stringMatching(/^coingecko: .*503; binance: binance has no such market/) },
      received: 3,
      new: 3,
    })
    expect(working.log.events).toContainEqual(
      expect.objectContaining({
        event: 'prices.unknown-market',
        fields: { source: 'binance', market: 'NOPEUSDT' },
      }),
    )
  })

  test.for(['rate-limited', 'html', 'cut', 'object-for-rows'] as const)(
    'come from binance when coingecko answers %s',
    async (name, { freshDatabase: { pool } }) => {
      const fault =
        name === 'rate-limited'
          ? { name, retryAfterSeconds: 60 }
          : name === 'cut'
            ? { name, atByte: 200 }
            : { name }
      await using working = await startWorking(pool, {
        faults: [{ source: 'coingecko', when: 'always', fault }],
      })
      await follow(pool, 'BTCUSDT')
      expect(await ingest(working)).toMatchObject({ priced: { binance: 1 }, new: 1 })
    },
  )

  test('fail with the first reason when nobody answers', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool, { faults: [down('coingecko'), down('binance')] })
    await follow(pool, 'BTCUSDT')
    const failing = ingest(working)
    await expect(failing).rejects.toThrow(Unavailable)
    await expect(failing).rejects.toThrow('coingecko')
    expect(await count(pool, 'market_data')).toBe(0)
  })

  test('are not asked of another source when the process is stopping', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, { signal: AbortSignal.abort() })
    await follow(pool, 'BTCUSDT')
    await expect(ingest(working)).rejects.toThrow(Aborted)
    expect(working.exchange.requests).toEqual([])
  })

  test('that are not believed are kept aside, and the rest of the answer lives', async ({
    freshDatabase: { pool },
  }) => {
    const faults = [{ name: 'value', row: 0, column: 'current_price', value: -7 } as const]
    await using working = await startWorking(pool, {
      faults: faults.map((fault) => ({ source: 'coingecko', when: 'always', fault })),
    })
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
    for (const added of [2, 0]) {
      expect(await ingest(working)).toMatchObject({
        priced: { coingecko: 1, binance: 1 },
        new: added,
        quarantined: 1,
      })
    }
    const { rows } = await pool.query(
      'select source, market, reason, coin_id, times_seen from quarantined_rows',
    )
    expect(rows).toEqual([
      {
        source: 'coingecko',
        market: 'bitcoin',
        reason: 'price -7 is negative',
        coin_id: 'bitcoin',
        times_seen: 2,
      },
    ])
    expect(await count(pool, 'market_data')).toBe(2)
  })

  test.for([
    ['id', 'x'.repeat(300)],
    ['id', 'bit\u0000coin'],
  ] as const)(
    'with an %s of %j in a row do not stop the others',
    async ([column, value], { freshDatabase: { pool } }) => {
      const faults = [
        { source: 'coingecko', when: { nth: 1 }, fault: { name: 'value', row: 0, column, value } },
      ] as const
      await using working = await startWorking(pool, { faults })
      for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
      expect(await ingest(working)).toMatchObject({ priced: { coingecko: 1, binance: 1 }, quarantined: 0 })
    },
  )

  test.for([
    ['symbol', 'LONG'.repeat(30)],
    ['name', 'n\u0000'.repeat(200)],
    ['image', `https://${'i'.repeat(400)}`],
    ['market_cap', '1e400'],
    ['max_supply', {}],
    ['market_cap_rank', 1e300],
  ] as const)(
    'with a %s that no column can hold still load',
    async ([column, value], { freshDatabase: { pool } }) => {
      const faults = [
        { source: 'coingecko', when: 'always', fault: { name: 'value', row: 0, column, value } },
      ] as const
      await using working = await startWorking(pool, { faults })
      await follow(pool, 'BTCUSDT')
      expect((await ingest(working)).received).toBeGreaterThanOrEqual(1)
      expect(await count(pool, 'market_data')).toBe(1)
    },
  )

  test('come from coinpaprika for the coins that are named there, and from the exchange for the others', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, { faults: [down('coingecko')] })
    for (const symbol of ['BTCUSDT', 'SHIBUSDT', 'ETHUSDT']) await follow(pool, symbol)
    await followAlso(pool, 'bitcoin', 'coinpaprika', 'btc-bitcoin')
    await followAlso(pool, 'shiba-inu', 'coinpaprika', 'shib-shiba-inu')
    expect(await ingest(working)).toMatchObject({
      priced: { coinpaprika: 2, binance: 1 },
      unpriced: {},
      // Those that nobody tracks came with the answer, and are not counted.
      received: 5,
      confirming: 2,
      quarantined: 0,
    })
    const { rows } = await pool.query(
      `select coin_id, market_cap is null as no_cap, max_supply, circulating_supply from market_data order by coin_id`,
    )
    expect(rows).toEqual([
      { coin_id: 'bitcoin', no_cap: false, max_supply: '21000000.00000000', circulating_supply: null },
      { coin_id: 'ethereum', no_cap: true, max_supply: null, circulating_supply: null },
      { coin_id: 'shiba-inu', no_cap: false, max_supply: null, circulating_supply: null },
    ])
    const [bitcoin] = await latest(pool, 'bitcoin')
    expect(bitcoin?.timestamp).toBe(floorTo('5m', halfPast))
    // The names of a coin are CoinGecko's.
    expect(bitcoin?.symbol).toBe('BTCUSDT')
  })

  test('come from the exchanges in the order of each coin, and pass over one that is down', async ({
    freshDatabase: { pool },
  }) => {
    const faults = [down('coingecko'), down('binance'), down('kucoin')]
    await using working = await startWorking(pool, { faults })
    for (const symbol of ['BTCUSDT', 'ETHUSDT', 'XRPUSDT']) await follow(pool, symbol)
    await followAlso(pool, 'bitcoin', 'kucoin', 'BTC-USDT')
    await followAlso(pool, 'bitcoin', 'okx', 'BTC-USDT')
    await followAlso(pool, 'ethereum', 'okx', 'ETH-USDT')
    // Its best market is not in the answer, and the other one is where nobody answered before.
    await inTransaction(pool, (tx) => upsertCoin(tx.db, 'dogecoin', { symbol: 'D', name: 'D' }, halfPast))
    await followAlso(pool, 'dogecoin', 'okx', 'NOPE-USDT')
    await followAlso(pool, 'dogecoin', 'binance', 'DOGEUSDT')
    expect(await ingest(working)).toMatchObject({
      priced: { okx: 2 },
      unpriced: {
        dogecoin: expect.stringContaining('okx: it is not in the answer'),
        ripple: expect.stringContaining('binance: binance is unavailable'),
      },
      new: 2,
    })
    const asked = working.exchange.requests.map(({ source }) => source)
    // A listing each time, once.
    expect(asked.toSorted()).toEqual(['binance', 'coingecko', 'kucoin', 'okx', 'okx', 'okx', 'okx'])
    expect(await latest(pool, 'bitcoin')).toMatchObject([{ marketCap: null, rank: null }])
  })

  test('of bulk tickers are kept aside only where they are of a tracked market', async ({
    freshDatabase: { pool },
  }) => {
    const fault = (row: number) => ({ name: 'value', row, column: 'last_updated', value: 'never' }) as const
    await using working = await startWorking(pool, {
      faults: [
        down('coingecko'),
        { source: 'coinpaprika', when: { nth: 1 }, fault: fault(0) },
        { source: 'coinpaprika', when: { nth: 2 }, fault: fault(-1) },
      ],
    })
    await follow(pool, 'BTCUSDT')
    await followAlso(pool, 'bitcoin', 'coinpaprika', 'btc-bitcoin')
    expect(await ingest(working)).toMatchObject({ priced: { binance: 1 }, received: 2, quarantined: 1 })
    expect(await ingest(working)).toMatchObject({ priced: { coinpaprika: 1 }, received: 1, quarantined: 0 })
    const { rows } = await pool.query('select source, market, reason from quarantined_rows')
    expect(rows).toEqual([
      {
        source: 'coinpaprika',
        market: 'btc-bitcoin',
        reason: 'the time of the price is missing or not a time',
      },
    ])
  })

  test('that came before a source failed stay, and only the others are asked elsewhere', async ({
    freshDatabase: { pool },
  }) => {
    const failing = { name: 'server-error', status: 503 } as const
    await using working = await startWorking(pool, {
      faults: [
        down('coingecko'),
        { source: 'coinbase', path: '/products/ETH-USDT/stats', when: 'always', fault: failing },
      ],
    })
    for (const [coinId, symbol] of [
      ['bitcoin', 'BTC-USDT'],
      ['ethereum', 'ETH-USDT'],
    ] as const) {
      await inTransaction(pool, (tx) => upsertCoin(tx.db, coinId, { symbol: coinId, name: coinId }, halfPast))
      await followAlso(pool, coinId, 'coinbase', symbol)
    }
    await followAlso(pool, 'ethereum', 'binance', 'ETHUSDT')
    expect(await ingest(working)).toMatchObject({ priced: { coinbase: 1, binance: 1 }, new: 2 })
  })

  test('come from the next source where the budget of one lets nobody in', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, {
      settings: (settings) => ({ ...settings, http: { ...settings.http, timeout: 20 } }),
    })
    await follow(pool, 'BTCUSDT')
    const { context } = working
    const get: typeof context.http.get = (request, options) =>
      request.source === 'coingecko'
        ? new Promise((_, reject) => {
            options.signal.addEventListener('abort', () => reject(new Aborted('stopped while waiting')))
          })
        : context.http.get(request, { ...options, signal: context.signal })
    const report = keptReport()
    expect(await ingestPrices.run({ ...context, http: { ...context.http, get } }, {}, report)).toMatchObject({
      priced: { binance: 1 },
    })
    expect(report.lines).toEqual([expect.stringContaining('coingecko has no request to spare')])
  })

  test('of nobody are not asked for', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    expect(await ingest(working)).toEqual({ received: 0 })
    expect(working.exchange.requests).toEqual([])
  })
})

test('the schedule follows the setting, and its payload is one the job takes', () => {
  const schedules = ingestPrices.schedules?.(readSettings({}), []) ?? []
  expect(schedules.map(({ pattern }) => pattern)).toEqual(['20 */5 * * * *'])
  for (const { payload } of schedules) expect(ingestPrices.payload.parse(payload)).toEqual(payload)
})

test.for([null, 'all', [], { coins: ['bitcoin'] }])('a payload of %o is refused', (hostile) => {
  expect(ingestPrices.payload.safeParse(hostile).success).toBe(false)
})
