import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { ingestPrices } from '../../jobs/ingest-prices.ts'
import { hour, minute, plus, toIso } from '../../src/market/instant.ts'
import type { InjectedFault } from '../../src/replay/faults/injected-fault.ts'
import type { FaultPlan, FaultRule } from '../../src/replay/faults.ts'
import type { SourceId } from '../../src/settings/source-ids.ts'
import { trackMarket, upsertCoin } from '../../src/store/coins.ts'
import { listQuarantined } from '../../src/store/quarantine.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { count, follow, keptReport, startWorking, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { test } from '../support/database.ts'

const ingest = ({ context }: Working) => ingestPrices.run(context, {}, keptReport())

const always = (source: SourceId, fault: InjectedFault, path?: string): FaultRule => ({
  source,
  when: 'always',
  fault,
  ...(path === undefined ? {} : { path }),
})
const down = (source: SourceId) => always(source, { name: 'server-error', status: 503 })
const value = (column: string, written: string | number | null) =>
  always('coingecko', { name: 'value', row: 0, column, value: written })

const track = (pool: Pool, coinId: string, source: SourceId, symbol: string) =>
  inTransaction(pool, async (tx) => {
    await upsertCoin(tx.db, coinId, { symbol: coinId, name: coinId }, halfPast)
    await trackMarket(tx, { coinId, source, symbol }, halfPast)
  })

/** Every stored price, oldest first. */
async function pricesOf(pool: Pool) {
  const { rows } = await pool.query<{ coin_id: string; price: string }>(
    'select * from market_data order by coin_id, timestamp',
  )
  return rows
}

const quarantined = async (pool: Pool) =>
  (await listQuarantined(databaseOf(pool), { state: 'all' }, 100)).rows

/** Bitcoin and ethereum on Binance, priced once before anything goes wrong. */
async function startPriced(pool: Pool): Promise<Working> {
  const working = await startWorking(pool)
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
  await ingest(working)
  working.exchange.clock.move(5 * minute)
  return working
}

const setFaults = ({ exchange }: Working, ...plan: FaultPlan) => exchange.setFaults(plan)

describe('a source that has no price of a coin', () => {
  test.for<[string, FaultRule, string]>([
    ['0', value('current_price', 0), 'its price is 0'],
    ['"0.00000000"', value('current_price', '0.00000000'), 'its price is 0'],
    ['null', value('current_price', null), 'it gives no price'],
    ['NaN', value('current_price', 'NaN'), 'it gives no price'],
    [
      'one of yesterday',
      value('last_updated', '2024-02-29T12:00:00Z'),
      'its price is of 2024-02-29T12:00:00.000Z',
    ],
    ['zero-price', always('coingecko', { name: 'zero-price' }), 'its price is 0'],
    ['null-price', always('coingecko', { name: 'null-price' }), 'it gives no price'],
  ])(
    'but %s is passed over in the same run, and nothing of it is stored',
    async ([_, expectedFault], { freshDatabase: { pool } }) => {
      await using working = await startPriced(pool)
      setFaults(working, expectedFault)
      for (const run of [1, 2, 3]) {
        expect(await ingest(working), `run ${run}`).toMatchObject({
          priced: { coingecko: 1, binance: 1 },
          unpriced: {},
          received: 3,
          new: 2,
          quarantined: 0,
          withoutPrice: 1,
        })
        working.exchange.clock.move(5 * minute)
      }
      expect((await pricesOf(pool)).filter(({ price }) => Number(price) === 0)).toEqual([])
      expect(await quarantined(pool)).toEqual([])
    },
  )

  test('is reported with why, source by source, where no other has one', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startPriced(pool)
    setFaults(
      working,
      always('coingecko', { name: 'zero-price' }),
      always('binance', { name: 'value', row: 0, column: 'lastPrice', value: '0.00000000' }),
    )
    expect(await ingest(working)).toMatchObject({
      priced: { coingecko: 1 },
      unpriced: { bitcoin: 'coingecko: its price is 0; binance: its price is 0' },
      received: 3,
      withoutPrice: 2,
    })
    expect((await pricesOf(pool)).filter(({ coin_id }) => coin_id === 'bitcoin')).toHaveLength(1)
  })

  test.for<[string, string | number]>([
    ['closeTime', plus(halfPast, -2 * hour)],
    ['count', 0],
    ['lastPrice', '0.00000000'],
  ])('may be Binance with a %s of %j', async ([column, written], { freshDatabase: { pool } }) => {
    await using working = await startPriced(pool)
    await track(pool, 'bitcoin', 'okx', 'BTC-USDT')
    setFaults(
      working,
      down('coingecko'),
      always('binance', { name: 'value', row: 0, column, value: written }),
    )
    expect(await ingest(working)).toMatchObject({ priced: { okx: 1, binance: 1 }, withoutPrice: 1 })
  })
})

describe('a market that is not trading', () => {
  const markets: readonly (readonly [SourceId, string])[] = [
    ['binance', 'BTCUSDT'],
    ['coinbase', 'BTC-USDT'],
    ['kraken', 'XBTUSDT'],
    ['okx', 'BTC-USDT'],
    ['bybit', 'BTCUSDT'],
    ['kucoin', 'BTC-USDT'],
    ['bitstamp', 'btcusdt'],
    ['bitfinex', 'tBTCUST'],
    ['gateio', 'BTC_USDT'],
    ['cryptocom', 'BTC_USDT'],
    ['htx', 'btcusdt'],
    ['mexc', 'BTCUSDT'],
  ]

  test.for(markets)('on %s gives no price of now', async ([source, symbol], { freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await track(pool, 'bitcoin', source, symbol)
    setFaults(working, always('coingecko', { name: 'null-price' }))
    expect(await ingest(working)).toMatchObject({ priced: { [source]: 1 }, unpriced: {} })
    working.exchange.clock.move(5 * minute)
    setFaults(working, always('coingecko', { name: 'null-price' }), always(source, { name: 'halted-market' }))
    expect(await ingest(working)).toMatchObject({
      priced: {},
      unpriced: { bitcoin: `coingecko: it gives no price; ${source}: it is not trading` },
      new: 0,
      quarantined: 0,
    })
    const [other, otherSymbol] = source === 'okx' ? ['bybit', 'BTCUSDT'] : ['okx', 'BTC-USDT']
    await track(pool, 'bitcoin', other as SourceId, otherSymbol)
    expect(await ingest(working)).toMatchObject({ priced: { [other]: 1 }, unpriced: {} })
    expect(await count(pool, 'market_data')).toBe(2)
  })

  test('is known from the stored listing where the source does not answer with its own', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    for (const coin of ['bitcoin', 'ethereum', 'ripple'])
      await track(pool, coin, 'okx', `${{ bitcoin: 'BTC', ethereum: 'ETH', ripple: 'XRP' }[coin]}-USDT`)
    await pool.query(`update instruments set halted_since = $1 where coin_id = 'bitcoin'`, [toIso(halfPast)])
    await pool.query(`update instruments set missing_since = $1 where coin_id = 'ethereum'`, [
      toIso(halfPast),
    ])
    const listing = '/api/v5/public/instruments'
    setFaults(working, down('coingecko'), always('okx', { name: 'server-error', status: 503 }, listing))
    expect(await ingest(working)).toMatchObject({
      priced: { okx: 1 },
      unpriced: {
        bitcoin: expect.stringContaining('okx: it is not trading'),
        ethereum: expect.stringContaining('okx: it is not trading'),
      },
    })
    expect(working.log.events).toContainEqual(
      expect.objectContaining({
        event: 'prices.listing-failed',
        fields: expect.objectContaining({ source: 'okx' }),
      }),
    )
    // What the source lists now counts for more.
    working.exchange.clock.move(5 * minute)
    setFaults(working, down('coingecko'))
    expect(await ingest(working)).toMatchObject({ priced: { okx: 3 }, unpriced: {} })
  })

  test('costs one request for the listing of a source, and none of a source that leaves it out', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await track(pool, 'bitcoin', 'coinbase', 'BTC-USDT')
    await track(pool, 'ethereum', 'coinbase', 'ETH-USDT')
    await track(pool, 'ripple', 'binance', 'XRPUSDT')
    setFaults(working, down('coingecko'))
    expect(await ingest(working)).toMatchObject({ priced: { coinbase: 2, binance: 1 } })
    const asked = working.exchange.requests.map(({ path }) => path.split('?')[0])
    expect(asked.toSorted()).toEqual([
      '/api/v3/coins/markets',
      '/api/v3/ticker/24hr',
      '/products',
      '/products/BTC-USDT/stats',
      '/products/ETH-USDT/stats',
    ])
  })
})

describe('a bad number beside a price', () => {
  test.for<[string, string | number]>([
    ['price_change_percentage_24h', 123456789.12],
    ['price_change_percentage_24h', -250],
    ['market_cap', -5],
    ['market_cap', 'NaN'],
    ['circulating_supply', -1],
    ['max_supply', '1e40'],
    ['total_volume', 'many'],
    ['market_cap_rank', 1.5],
  ])('is left out, counted and logged: %s of %j', async ([column, written], { freshDatabase: { pool } }) => {
    await using working = await startPriced(pool)
    setFaults(working, value(column, written))
    expect(await ingest(working)).toMatchObject({
      priced: { coingecko: 2 },
      new: 2,
      quarantined: 0,
      droppedValues: 1,
    })
    expect(working.log.events).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        event: 'prices.values-dropped',
        fields: { source: 'coingecko', values: [expect.objectContaining({ market: 'bitcoin' })] },
      }),
    )
    const names: Readonly<Record<string, string>> = {
      price_change_percentage_24h: 'change_24h',
      total_volume: 'volume_24h',
      market_cap_rank: 'rank',
    }
    const { rows } = await pool.query(
      `select ${names[column] ?? column} as value, price from market_data where coin_id = 'bitcoin' order by timestamp desc limit 1`,
    )
    expect(rows).toMatchObject([{ value: null }])
  })

  test('that is 0 for "not known" is NULL, and is not counted', async ({ freshDatabase: { pool } }) => {
    await using working = await startPriced(pool)
    const zeros = ['market_cap', 'total_volume', 'circulating_supply', 'max_supply', 'market_cap_rank']
    for (const column of zeros) {
      setFaults(working, value(column, 0))
      expect(await ingest(working)).toMatchObject({ priced: { coingecko: 2 }, droppedValues: 0 })
      working.exchange.clock.move(5 * minute)
    }
    setFaults(working, value('price_change_percentage_24h', 0))
    await ingest(working)
    const { rows } = await pool.query(
      `select market_cap, volume_24h, circulating_supply, max_supply, rank, change_24h
       from market_data where coin_id = 'bitcoin' order by timestamp offset 1`,
    )
    expect(
      rows.map((row) => Object.entries(row).flatMap(([name, found]) => (found === null ? [name] : []))),
    ).toEqual([['market_cap'], ['volume_24h'], ['circulating_supply'], ['max_supply'], ['rank'], []])
    expect(rows.at(-1)).toMatchObject({ change_24h: '0.00' })
  })
})

describe('a rejected price', () => {
  test('is one row with a count and both times, and its coin is priced elsewhere', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startPriced(pool)
    for (const price of [-1, -2.5, -3]) {
      setFaults(working, value('current_price', price))
      expect(await ingest(working)).toMatchObject({ priced: { coingecko: 1, binance: 1 }, quarantined: 1 })
      working.exchange.clock.move(5 * minute)
    }
    const first = plus(halfPast, 5 * minute)
    expect(await quarantined(pool)).toMatchObject([
      {
        source: 'coingecko',
        market: 'bitcoin',
        coinId: 'bitcoin',
        timeframe: undefined,
        reason: 'price -3 is negative',
        timesSeen: 3,
        quarantinedAt: first,
        lastSeenAt: plus(first, 10 * minute),
      },
    ])
  })
})

describe('a price a factor of 10 or more away from all that is known', () => {
  const far = (source: SourceId) => always(source, { name: 'far-price' })

  test('is quarantined while another source agrees with the stored one', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startPriced(pool)
    setFaults(working, far('coingecko'))
    for (const run of [1, 2]) {
      expect(await ingest(working), `run ${run}`).toMatchObject({
        priced: { coingecko: 1, binance: 1 },
        received: 3,
        new: 2,
        quarantined: 1,
      })
      working.exchange.clock.move(5 * minute)
    }
    expect(await quarantined(pool)).toMatchObject([
      {
        source: 'coingecko',
        coinId: 'bitcoin',
        timesSeen: 2,
        reason: expect.stringMatching(/^price \d+(\.\d+)? is a factor of 10 or more away from \d+(\.\d+)?$/),
      },
    ])
    setFaults(working)
    expect(await ingest(working)).toMatchObject({ priced: { coingecko: 2 }, quarantined: 0 })
  })

  test('is stored in the same run when a second source agrees: a true move', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startPriced(pool)
    await pool.query('update market_data set price = price * 1000')
    expect(await ingest(working)).toMatchObject({
      priced: { coingecko: 2 },
      received: 4,
      new: 2,
      quarantined: 0,
      confirming: 2,
    })
    // From then on it is what others have to agree with.
    working.exchange.clock.move(5 * minute)
    expect(await ingest(working)).toMatchObject({ priced: { coingecko: 2 }, received: 2, confirming: 0 })
  })

  test('of a coin with one source waits for an hour, and no longer', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await track(pool, 'bitcoin', 'binance', 'BTCEUR')
    await ingest(working)
    setFaults(working, far('coingecko'))
    for (let waited = 5; waited < 60; waited += 5) {
      working.exchange.clock.move(5 * minute)
      expect(await ingest(working), `after ${waited} minutes`).toMatchObject({
        priced: {},
        unpriced: { bitcoin: expect.stringContaining('a factor of 10 or more away') },
        quarantined: 1,
      })
    }
    working.exchange.clock.move(5 * minute)
    expect(await ingest(working)).toMatchObject({ priced: { coingecko: 1 }, unpriced: {}, quarantined: 0 })
    working.exchange.clock.move(5 * minute)
    expect(await ingest(working)).toMatchObject({ priced: { coingecko: 1 }, quarantined: 0 })
    expect(await quarantined(pool)).toMatchObject([{ timesSeen: 11 }])
  })

  test('is not stored as the first one of a coin either', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    setFaults(working, far('coingecko'))
    // Of two that contradict each other nobody knows which is right.
    expect(await ingest(working)).toMatchObject({ priced: {}, new: 0, quarantined: 2 })
    await track(pool, 'bitcoin', 'okx', 'BTC-USDT')
    expect(await ingest(working)).toMatchObject({ priced: { binance: 1 }, quarantined: 1, confirming: 1 })
  })
})
