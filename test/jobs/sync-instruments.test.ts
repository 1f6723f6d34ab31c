import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { ingestCandles } from '../../jobs/ingest-candles.ts'
import { syncInstruments } from '../../jobs/sync-instruments.ts'
import { Malformed } from '../../src/fault.ts'
import { keptHistory, obtainablePart } from '../../src/ingest/kept-history.ts'
import { candleMarketOf, sourcesInUse } from '../../src/ingest/markets.ts'
import { day, hour, type Instant, toIso } from '../../src/market/instant.ts'
import { ceilTo, floorTo } from '../../src/market/timeframe.ts'
import type { SourceId } from '../../src/settings/source-ids.ts'
import { readSettings } from '../../src/settings.ts'
import { sources } from '../../src/sources/catalog.ts'
import { listRenames } from '../../src/store/coins/instruments.ts'
import { type Coin, listCoins, trackConfigured, trackMarket, upsertCoin } from '../../src/store/coins.ts'
import { readCoverage } from '../../src/store/coverage.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { keptReport, klinesAsked, startWorking, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { aBatch, at, candlesIn, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'

const settings = readSettings({})

const follow = (pool: Pool, coinId: string, market: string, now: Instant) =>
  inTransaction(pool, async (tx) => {
    const [source = '', symbol = ''] = market.split(':')
    await upsertCoin(tx.db, coinId, { symbol: coinId.slice(0, 20), name: coinId }, now)
    return (await trackMarket(tx, { coinId, source, symbol }, now)).isChanged
  })

/** Binance's listing of these symbols, all of them traded. */
const listingOf = (...symbols: string[]): string =>
  JSON.stringify({
    symbols: symbols.map((symbol) => ({
      symbol,
      status: 'TRADING',
      baseAsset: symbol.slice(0, -4),
      quoteAsset: symbol.slice(-4),
    })),
  })

/** A poll that answers with that body of a source's listing, and with that one of candles, at that time. */
const lookAt = (
  { context }: Working,
  source: SourceId,
  now: Instant,
  body: string,
  candles?: string,
  report = keptReport(),
) =>
  syncInstruments.run(
    {
      ...context,
      clock: { now: () => now },
      http: {
        ...context.http,
        get: async ({ path }) => {
          const isListing = sources[source].listing?.request().path === path
          if (!isListing && candles === undefined) throw new Error(`${path} is requested`)
          return { status: 200, headers: {}, text: isListing ? body : (candles ?? ''), answeredAt: now }
        },
      },
    },
    { source },
    report,
  )

/** A look at a listing of these symbols, at that time. */
const check = (working: Working, now: Instant, ...symbols: string[]) =>
  lookAt(working, 'binance', now, listingOf(...symbols))

const coin = async (pool: Pool, coinId: string): Promise<Coin> => {
  const found = (await listCoins(databaseOf(pool))).find(({ id }) => id === coinId)
  if (!found) throw new Error(`${coinId} is not followed`)
  return found
}

const reported = ({ log }: Working) =>
  log.events.flatMap(({ event, fields }) => (event.startsWith('market.') ? [[event, fields.market]] : []))

const start = floorTo('1m', plus(halfPast, -10 * day))

describe('the listing of a source', () => {
  test('ends a market that it leaves out twice; the coin does not go on elsewhere by itself', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'bitcoin', 'binance:BTCUSDT', start)
    await follow(pool, 'bitcoin', 'okx:BTC-USDT', start)
    await follow(pool, 'ethereum', 'binance:ETHUSDT', start)
    expect(await check(working, halfPast, 'BTCUSDT', 'ETHUSDT')).toEqual({
      listed: 2,
      tracked: 2,
      ended: 0,
      renamed: 0,
    })
    // A listing without half of its markets is a lie, until it is told again.
    await check(working, plus(halfPast, hour), 'ETHUSDT')
    expect((await coin(pool, 'bitcoin')).markets[0]?.listedTo).toBeUndefined()
    expect(await check(working, plus(halfPast, 2 * hour), 'ETHUSDT')).toMatchObject({ ended: 1 })
    await check(working, plus(halfPast, 3 * hour), 'ETHUSDT')
    expect(reported(working)).toEqual([
      ['market.missing', 'binance:BTCUSDT'],
      ['market.ended', 'binance:BTCUSDT'],
    ])
    const market = candleMarketOf(await coin(pool, 'bitcoin'))
    expect(market).toMatchObject({ symbol: 'BTCUSDT', listedTo: plus(halfPast, hour) })
    expect(sourcesInUse([await coin(pool, 'bitcoin')])).toEqual([])
  })

  test('leaves what was before the end wanted, and nothing after it', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'bitcoin', 'binance:BTCUSDT', start)
    await check(working, plus(halfPast, -3 * hour), 'ETHUSDT', 'BTCUSDT')
    await check(working, plus(halfPast, -2 * hour), 'ETHUSDT')
    await check(working, plus(halfPast, -hour), 'ETHUSDT')
    const market = candleMarketOf(await coin(pool, 'bitcoin'))
    if (!market) throw new Error('the market is gone')
    const kept = keptHistory(settings, market, '1h', halfPast)
    expect(kept.to).toBe(ceilTo('1h', plus(halfPast, -2 * hour)))
    expect(kept.to - kept.from).toBeGreaterThan(13 * day)
    await ingestCandles.run(working.context, { source: 'binance', timeframe: '1h' }, keptReport())
    expect(klinesAsked(working)).toEqual([])
  })

  test('that is empty is not believed at all', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'bitcoin', 'binance:BTCUSDT', start)
    await expect(check(working, halfPast)).rejects.toThrow(Malformed)
    expect(reported(working)).toEqual([])
  })

  test('with a symbol that comes back as another coin never joins the two', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'terra-luna', 'binance:LUNAUSDT', start)
    const endedAt = plus(start, day)
    await check(working, start, 'BTCUSDT', 'LUNAUSDT')
    await check(working, endedAt, 'BTCUSDT')
    await check(working, plus(start, 2 * day), 'BTCUSDT')
    await check(working, plus(start, 3 * day), 'BTCUSDT', 'LUNAUSDT')
    await check(working, plus(start, 4 * day), 'BTCUSDT', 'LUNAUSDT')
    expect(reported(working).map(([event]) => event)).toEqual([
      'market.missing',
      'market.ended',
      'market.relisted',
    ])
    expect((await coin(pool, 'terra-luna')).markets).toMatchObject([
      { symbol: 'LUNAUSDT', listedTo: endedAt, relistedAt: plus(start, 3 * day) },
    ])
    // Not by a configuration that was written for the old one, either.
    const configured = { id: 'terra-luna', symbol: 'LUNA', name: 'Terra', markets: { binance: 'LUNAUSDT' } }
    await inTransaction(pool, (tx) => trackConfigured(tx, [configured], plus(start, 4 * day)))
    expect(sourcesInUse([await coin(pool, 'terra-luna')])).toEqual([])

    await follow(pool, 'terra-luna-2', 'binance:LUNAUSDT', plus(start, 5 * day))
    const [older, newer] = await Promise.all(
      ['terra-luna', 'terra-luna-2'].map(async (id) => candleMarketOf(await coin(pool, id))),
    )
    if (!older || !newer) throw new Error('a market is gone')
    const all = { from: plus(start, -day), to: plus(start, 6 * day) }
    expect(obtainablePart(older, '1m', all, halfPast)).toEqual({ from: all.from, to: endedAt })
    expect(obtainablePart(newer, '1m', all, halfPast)).toEqual({ from: endedAt, to: all.to })
  })

  test('with a market that is back goes on once someone says so, as a life of its own', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'bitcoin', 'binance:BTCUSDT', start)
    await check(working, start, 'ETHUSDT', 'BTCUSDT')
    await check(working, plus(start, day), 'ETHUSDT')
    await check(working, plus(start, 2 * day), 'ETHUSDT')
    await check(working, plus(start, 3 * day), 'ETHUSDT', 'BTCUSDT')
    expect(await follow(pool, 'bitcoin', 'binance:BTCUSDT', plus(start, 4 * day))).toBe(true)
    expect((await coin(pool, 'bitcoin')).markets).toEqual([
      {
        coinId: 'bitcoin',
        source: 'binance',
        symbol: 'BTCUSDT',
        preference: 0,
        trackedFrom: plus(start, 4 * day),
        listedFrom: plus(start, day),
      },
    ])
    expect(await follow(pool, 'bitcoin', 'binance:BTCUSDT', plus(start, 5 * day))).toBe(false)
    await check(working, plus(start, 6 * day), 'ETHUSDT', 'BTCUSDT')
    expect((await coin(pool, 'bitcoin')).markets).toHaveLength(1)
  })

  test('is one daily look at each source that a coin has a market on', async ({
    freshDatabase: { pool },
  }) => {
    const ids = async () =>
      (syncInstruments.schedules?.(settings, await listCoins(databaseOf(pool))) ?? []).map(({ id }) => id)
    expect(await ids()).toEqual([])
    await follow(pool, 'bitcoin', 'binance:BTCUSDT', start)
    await follow(pool, 'bitcoin', 'okx:BTC-USDT', start)
    await follow(pool, 'bitcoin', 'coingecko:bitcoin', start)
    expect(await ids()).toEqual(['sync-instruments_binance', 'sync-instruments_okx'])
  })
})

test('an ended market steps back when another one of the coin is said to be followed', async ({
  freshDatabase: { pool },
}) => {
  await using working = await startWorking(pool)
  await follow(pool, 'bitcoin', 'binance:BTCUSDT', start)
  await follow(pool, 'bitcoin', 'okx:BTC-USDT', start)
  await check(working, start, 'ETHUSDT', 'BTCUSDT')
  await check(working, plus(start, day), 'ETHUSDT')
  await check(working, plus(start, 2 * day), 'ETHUSDT')
  expect(candleMarketOf(await coin(pool, 'bitcoin'))?.source.id).toBe('binance')
  expect(await follow(pool, 'bitcoin', 'okx:BTC-USDT', plus(start, 3 * day))).toBe(true)
  expect(candleMarketOf(await coin(pool, 'bitcoin'))?.source.id).toBe('okx')
})

/** OKX's listing: symbol and the moment of its listing, in milliseconds. */
const okxListing = (markets: Readonly<Record<string, Instant>>): string =>
  JSON.stringify({
    code: '0',
    msg: '',
    data: Object.entries(markets).map(([instId, listTime]) => ({
      instType: 'SPOT',
      instId,
      baseCcy: instId.split('-')[0],
      quoteCcy: instId.split('-')[1],
      state: 'live',
      listTime: String(listTime),
      expTime: '',
    })),
  })

/** OKX's candles of these hours, each with a trade or without. */
const okxCandles = (hours: readonly (readonly [openTime: Instant, volume: string])[]): string =>
  JSON.stringify({
    code: '0',
    msg: '',
    data: hours.map(([openTime, volume]) => [
      String(openTime),
      '1',
      '1',
      '1',
      '1',
      volume,
      volume,
      volume,
      '1',
    ]),
  })

test('a symbol that is another coin’s by the next look leaves no candle of the other in the first one’s series', async ({
  freshDatabase: { pool },
}) => {
  await using working = await startWorking(pool)
  const [oldFrom, newFrom] = [at('2021-01-01T00:00Z'), at('2022-05-28T06:00Z')]
  const lastLook = at('2022-05-28T03:17Z')
  await follow(pool, 'terra-luna', 'okx:LUNA-USDT', at('2022-05-01T00:00Z'))
  await lookAt(working, 'okx', lastLook, okxListing({ 'BTC-USDT': oldFrom, 'LUNA-USDT': oldFrom }))
  // The daemon went on reading what it took for the same market.
  const hours = { coinId: 'terra-luna', source: 'okx', timeframe: '1h' } as const
  const days = { ...hours, timeframe: '1d' } as const
  const around = { from: plus(newFrom, -4 * hour), to: plus(newFrom, 4 * hour) }
  await load(pool, aBatch(hours, candlesIn(around, '1h'), { answered: around, absentBefore: around.to }))
  const twoDays = { from: at('2022-05-27T00:00Z'), to: at('2022-05-29T00:00Z') }
  await load(pool, aBatch(days, candlesIn(twoDays, '1d'), { answered: twoDays, absentBefore: twoDays.to }))

  const nextLook = plus(lastLook, day)
  const listing = okxListing({ 'BTC-USDT': oldFrom, 'LUNA-USDT': newFrom })
  // The source itself has no trade in the day before.
  expect(await lookAt(working, 'okx', nextLook, listing, okxCandles([]))).toMatchObject({ ended: 1 })
  expect(working.log.events.filter(({ event }) => event.startsWith('market.'))).toEqual([
    {
      level: 'warn',
      event: 'market.reused',
      fields: {
        coinId: 'terra-luna',
        market: 'okx:LUNA-USDT',
        endedAt: toIso(newFrom),
        oldListedAt: toIso(oldFrom),
        newListedAt: toIso(newFrom),
        // Four hours of the new coin, and the day in which both were traded.
        candlesSetAside: 5,
      },
    },
  ])
  const { rows } = await pool.query<{ timeframe: string; newest: string; count: number }>(`
    select timeframe, to_char(max(timestamp), 'YYYY-MM-DD HH24:MI') as newest, count(*)::integer
    from ohlcv_data where coin_id = 'terra-luna' group by timeframe order by timeframe`)
  expect(rows).toEqual([
    { timeframe: '1d', newest: '2022-05-27 00:00', count: 1 },
    { timeframe: '1h', newest: '2022-05-28 05:00', count: 4 },
  ])
  const quarantined = await pool.query<{ reason: string; raw: string }>(
    'select reason, raw from quarantined_rows order by timeframe, timestamp',
  )
  expect(quarantined.rows).toHaveLength(5)
  expect(quarantined.rows[1]).toEqual({
    reason: 'the symbol stands for another market since 2022-05-28T06:00:00.000Z',
    raw: '["2022-05-28T06:00:00Z", "10.00000000", "12.00000000", "9.00000000", "11.00000000", "100.00000000"]',
  })
  const coverage = await readCoverage(databaseOf(pool), days, twoDays)
  expect(coverage.map(({ state, range }) => [state, range.from])).toEqual([
    ['stored', twoDays.from],
    ['refused', plus(twoDays.from, day)],
  ])

  // Whoever follows the new one begins with its first candle, and a second look finds nothing new.
  await follow(pool, 'terra-luna-2', 'okx:LUNA-USDT', plus(nextLook, hour))
  expect(candleMarketOf(await coin(pool, 'terra-luna-2'))).toMatchObject({ listedFrom: newFrom })
  await lookAt(working, 'okx', plus(nextLook, day), listing)
  expect(reported(working)).toHaveLength(1)
})

/** Kraken's listing: key, other name, and base. */
const krakenListing = (
  ...pairs: readonly (readonly [key: string, altname: string, base: string])[]
): string =>
  JSON.stringify({
    error: [],
    result: Object.fromEntries(
      pairs.map(([key, altname, base]) => [
        key,
        { altname, wsname: `${base}/USD`, aclass_base: 'currency', base, quote: 'ZUSD', status: 'online' },
      ]),
    ),
  })

test('a market whose source still answers to its old name goes on under the new one', async ({
  freshDatabase: { pool },
}) => {
  await using working = await startWorking(pool)
  await follow(pool, 'matic', 'kraken:XMATICZUSD', start)
  await follow(pool, 'matic', 'okx:MATIC-USDT', start)
  const [first, second] = [plus(start, day), plus(start, 2 * day)]
  await lookAt(working, 'kraken', first, krakenListing(['XMATICZUSD', 'MATICUSD', 'MATIC']))
  const renamed = krakenListing(['MATICUSD', 'MATICUSD', 'MATIC'], ['POLUSD', 'POLUSD', 'POL'])
  expect(await lookAt(working, 'kraken', second, renamed)).toMatchObject({ ended: 0, renamed: 1 })
  expect((await coin(pool, 'matic')).markets.map(({ source, symbol }) => `${source}:${symbol}`)).toEqual([
    'kraken:MATICUSD',
    'okx:MATIC-USDT',
  ])
  expect(await listRenames(databaseOf(pool))).toEqual([
    {
      coinId: 'matic',
      source: 'kraken',
      oldSymbol: 'XMATICZUSD',
      newSymbol: 'MATICUSD',
      oldBase: 'MATIC',
      newBase: 'MATIC',
      renamedAt: second,
    },
  ])
  expect(working.log.events.at(-1)).toMatchObject({
    level: 'warn',
    event: 'market.renamed',
    fields: { market: 'kraken:XMATICZUSD', newSymbol: 'MATICUSD' },
  })
  // The file that still has the old name brings it back as little as another look does.
  const configured = { id: 'matic', symbol: 'MATIC', name: 'Polygon', markets: { kraken: 'XMATICZUSD' } }
  await inTransaction(pool, (tx) => trackConfigured(tx, [configured], plus(start, 3 * day)))
  await lookAt(working, 'kraken', plus(start, 3 * day), renamed)
  expect((await coin(pool, 'matic')).markets).toHaveLength(2)
  expect(await listRenames(databaseOf(pool))).toHaveLength(1)
})

/** KuCoin's listing: the symbol that stays, and the name that changes. */
const kucoinListing = (symbol: string, name: string): string =>
  JSON.stringify({
    code: '200000',
    data: [
      {
        symbol,
        name,
        baseCurrency: symbol.split('-')[0],
        quoteCurrency: symbol.split('-')[1],
        enableTrading: true,
      },
    ],
  })

test('a coin that its source calls otherwise under the same symbol is told and recorded once', async ({
  freshDatabase: { pool },
}) => {
  await using working = await startWorking(pool)
  await follow(pool, 'gala', 'kucoin:GALAX-USDT', start)
  await lookAt(working, 'kucoin', start, kucoinListing('GALAX-USDT', 'GALAX-USDT'))
  for (const days of [1, 2]) {
    await lookAt(working, 'kucoin', plus(start, days * day), kucoinListing('GALAX-USDT', 'GALA-USDT'))
  }
  expect(await listRenames(databaseOf(pool))).toMatchObject([
    { oldSymbol: 'GALAX-USDT', newSymbol: 'GALAX-USDT', oldBase: 'GALAX', newBase: 'GALA' },
  ])
  expect(reported(working)).toEqual([['market.renamed', 'kucoin:GALAX-USDT']])
  expect((await coin(pool, 'gala')).markets).toMatchObject([{ symbol: 'GALAX-USDT' }])
})

test('a market that only vanished is reported with what it may go on as, and tracked nowhere', async ({
  freshDatabase: { pool },
}) => {
  await using working = await startWorking(pool)
  await follow(pool, 'matic', 'binance:MATICUSDT', start)
  await check(working, start, 'BTCUSDT', 'MATICUSDT')
  await check(working, plus(start, day), 'BTCUSDT', 'POLUSDT')
  await check(working, plus(start, 2 * day), 'BTCUSDT', 'POLUSDT')
  expect(working.log.events.at(-1)).toMatchObject({
    event: 'market.ended',
    fields: { market: 'binance:MATICUSDT', candidates: ['POLUSDT'] },
  })
  expect(sourcesInUse([await coin(pool, 'matic')])).toEqual([])
})
