import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { ingestCandles } from '../../jobs/ingest-candles.ts'
import { syncInstruments } from '../../jobs/sync-instruments.ts'
import { Malformed } from '../../src/fault.ts'
import { keptHistory, obtainablePart } from '../../src/ingest/kept-history.ts'
import { candleMarketOf, sourcesInUse } from '../../src/ingest/markets.ts'
import { day, hour, type Instant, plus } from '../../src/market/instant.ts'
import { ceilTo, floorTo } from '../../src/market/timeframe.ts'
import { readSettings } from '../../src/settings.ts'
import { type Coin, followConfigured, followMarket, listCoins, upsertCoin } from '../../src/store/coins.ts'
import { databaseOf, inTransaction } from '../../src/store/transaction.ts'
import { keptReport, klinesAsked, startWorking, type Working } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { test } from '../support/database.ts'

const settings = readSettings({})

const follow = (pool: Pool, coinId: string, market: string, now: Instant) =>
  inTransaction(pool, async (tx) => {
    const [source = '', symbol = ''] = market.split(':')
    await upsertCoin(tx.db, coinId, { symbol: coinId.slice(0, 20), name: coinId }, now)
    return followMarket(tx, { coinId, source, symbol }, now)
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

/** A look at a listing of these symbols, at that time. */
const look = ({ context }: Working, now: Instant, ...symbols: string[]) =>
  syncInstruments.run(
    {
      ...context,
      clock: { now: () => now },
      http: {
        ...context.http,
        get: async () => ({ status: 200, headers: {}, text: listingOf(...symbols), answeredAt: now }),
      },
    },
    { source: 'binance' },
    keptReport(),
  )

const coin = async (pool: Pool, coinId: string): Promise<Coin> => {
  const found = (await listCoins(databaseOf(pool))).find(({ id }) => id === coinId)
  if (!found) throw new Error(`${coinId} is not followed`)
  return found
}

const told = ({ log }: Working) =>
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
    expect(await look(working, halfPast, 'BTCUSDT', 'ETHUSDT')).toEqual({ listed: 2, followed: 2, ended: 0 })
    // A listing without half of its markets is a lie, until it is told again.
    await look(working, plus(halfPast, hour), 'ETHUSDT')
    expect((await coin(pool, 'bitcoin')).markets[0]?.listedTo).toBeUndefined()
    expect(await look(working, plus(halfPast, 2 * hour), 'ETHUSDT')).toMatchObject({ ended: 1 })
    await look(working, plus(halfPast, 3 * hour), 'ETHUSDT')
    expect(told(working)).toEqual([
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
    await look(working, plus(halfPast, -3 * hour), 'ETHUSDT', 'BTCUSDT')
    await look(working, plus(halfPast, -2 * hour), 'ETHUSDT')
    await look(working, plus(halfPast, -hour), 'ETHUSDT')
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
    await expect(look(working, halfPast)).rejects.toThrow(Malformed)
    expect(told(working)).toEqual([])
  })

  test('with a symbol that comes back as another coin never joins the two', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'terra-luna', 'binance:LUNAUSDT', start)
    const endedAt = plus(start, day)
    await look(working, start, 'BTCUSDT', 'LUNAUSDT')
    await look(working, endedAt, 'BTCUSDT')
    await look(working, plus(start, 2 * day), 'BTCUSDT')
    await look(working, plus(start, 3 * day), 'BTCUSDT', 'LUNAUSDT')
    await look(working, plus(start, 4 * day), 'BTCUSDT', 'LUNAUSDT')
    expect(told(working).map(([event]) => event)).toEqual([
      'market.missing',
      'market.ended',
      'market.relisted',
    ])
    expect((await coin(pool, 'terra-luna')).markets).toMatchObject([
      { symbol: 'LUNAUSDT', listedTo: endedAt, relistedAt: plus(start, 3 * day) },
    ])
    // Not by a configuration that was written for the old one, either.
    const configured = { id: 'terra-luna', symbol: 'LUNA', name: 'Terra', markets: { binance: 'LUNAUSDT' } }
    await inTransaction(pool, (tx) => followConfigured(tx, [configured], plus(start, 4 * day)))
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
    await look(working, start, 'ETHUSDT', 'BTCUSDT')
    await look(working, plus(start, day), 'ETHUSDT')
    await look(working, plus(start, 2 * day), 'ETHUSDT')
    await look(working, plus(start, 3 * day), 'ETHUSDT', 'BTCUSDT')
    expect(await follow(pool, 'bitcoin', 'binance:BTCUSDT', plus(start, 4 * day))).toBe(true)
    expect((await coin(pool, 'bitcoin')).markets).toEqual([
      {
        coinId: 'bitcoin',
        source: 'binance',
        symbol: 'BTCUSDT',
        preference: 0,
        followedFrom: plus(start, 4 * day),
        listedFrom: plus(start, day),
      },
    ])
    expect(await follow(pool, 'bitcoin', 'binance:BTCUSDT', plus(start, 5 * day))).toBe(false)
    await look(working, plus(start, 6 * day), 'ETHUSDT', 'BTCUSDT')
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
  await look(working, start, 'ETHUSDT', 'BTCUSDT')
  await look(working, plus(start, day), 'ETHUSDT')
  await look(working, plus(start, 2 * day), 'ETHUSDT')
  expect(candleMarketOf(await coin(pool, 'bitcoin'))?.source.id).toBe('binance')
  expect(await follow(pool, 'bitcoin', 'okx:BTC-USDT', plus(start, 3 * day))).toBe(true)
  expect(candleMarketOf(await coin(pool, 'bitcoin'))?.source.id).toBe('okx')
})
