import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { ingestPrices } from '../../jobs/ingest-prices.ts'
import { Aborted, Unavailable } from '../../src/fault.ts'
import { minute, plus } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { readSettings } from '../../src/settings.ts'
import { listPartitions } from '../../src/store/partitions.ts'
import { readLatestPrices } from '../../src/store/prices.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { count, follow, keptReport, startWorking, truth, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { test } from '../support/database.ts'

const ingest = ({ context }: Working, report = keptReport()) => ingestPrices.run(context, {}, report)
const open = floorTo('1m', halfPast)

/** The close of the newest closed minute, which is the price of the replay. */
const lastClose = (symbol: string) => truth(symbol, '1m', { from: plus(open, -minute), to: open })[0]?.close

const latest = (pool: Pool, ...coins: string[]) => readLatestPrices(databaseOf(pool), coins)

const down = (source: 'coingecko' | 'binance') =>
  ({ source, when: 'always', lie: { name: 'server-error', status: 503 } }) as const

describe('prices', () => {
  test('of every followed coin come from CoinGecko, with what it knows of them', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    for (const symbol of ['BTCUSDT', 'SHIBUSDT']) await follow(pool, symbol)
    expect(await ingest(working)).toEqual({
      source: 'coingecko',
      coins: 2,
      received: 2,
      new: 2,
      unchanged: 0,
      quarantined: 0,
      requests: 1,
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
    expect(await ingest(working, report)).toMatchObject({ source: 'binance', received: 2, new: 2 })
    expect(report.lines).toEqual([expect.stringMatching(/^coingecko gave no prices: .*503/)])
    expect(working.log.events).toMatchObject([
      { level: 'warn', event: 'prices.source-failed', fields: { source: 'coingecko' } },
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
    expect(await ingest(working)).toMatchObject({ source: 'binance', coins: 4, received: 3, new: 3 })
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
      const lie =
        name === 'rate-limited'
          ? { name, retryAfterSeconds: 60 }
          : name === 'cut'
            ? { name, atByte: 200 }
            : { name }
      await using working = await startWorking(pool, {
        faults: [{ source: 'coingecko', when: 'always', lie }],
      })
      await follow(pool, 'BTCUSDT')
      expect(await ingest(working)).toMatchObject({ source: 'binance', new: 1 })
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
    const lies = [{ name: 'value', row: 0, column: 'current_price', value: 'NaN' } as const]
    await using working = await startWorking(pool, {
      faults: lies.map((lie) => ({ source: 'coingecko', when: 'always', lie })),
    })
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
    for (const added of [1, 0]) {
      expect(await ingest(working)).toMatchObject({
        source: 'coingecko',
        received: 2,
        new: added,
        quarantined: 1,
      })
    }
    const { rows } = await pool.query('select source, market, reason, coin_id from quarantined_rows')
    expect(rows).toEqual([
      { source: 'coingecko', market: 'bitcoin', reason: 'current_price is not a number', coin_id: null },
    ])
    expect(await count(pool, 'market_data')).toBe(1)
  })

  test.for([
    ['id', 'x'.repeat(300)],
    ['id', 'bit\u0000coin'],
  ] as const)(
    'with an %s of %j in a row do not stop the others',
    async ([column, value], { freshDatabase: { pool } }) => {
      const faults = [
        { source: 'coingecko', when: { nth: 1 }, lie: { name: 'value', row: 0, column, value } },
      ] as const
      await using working = await startWorking(pool, { faults })
      for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
      expect(await ingest(working)).toMatchObject({ source: 'coingecko', new: 1 })
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
        { source: 'coingecko', when: 'always', lie: { name: 'value', row: 0, column, value } },
      ] as const
      await using working = await startWorking(pool, { faults })
      await follow(pool, 'BTCUSDT')
      expect(await ingest(working)).toMatchObject({ source: 'coingecko', received: 1 })
    },
  )

  test('of nobody are not asked for', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    expect(await ingest(working)).toEqual({ received: 0 })
    expect(working.exchange.requests).toEqual([])
  })
})

test('the schedule follows the setting, and its payload is one the job takes', () => {
  const schedules = ingestPrices.schedules?.(readSettings({})) ?? []
  expect(schedules.map(({ pattern }) => pattern)).toEqual(['20 */5 * * * *'])
  for (const { payload } of schedules) expect(ingestPrices.payload.parse(payload)).toEqual(payload)
})

test.for([null, 'all', [], { coins: ['bitcoin'] }])('a payload of %o is refused', (hostile) => {
  expect(ingestPrices.payload.safeParse(hostile).success).toBe(false)
})
