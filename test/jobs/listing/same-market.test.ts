import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { backfillCandles } from '../../../jobs/backfill-candles.ts'
import { syncInstruments } from '../../../jobs/sync-instruments.ts'
import { day, type Instant, plus, toIso } from '../../../src/market/instant.ts'
import { recordListing } from '../../../src/store/coins/listed-markets.ts'
import { listCoins, trackMarket, upsertCoin } from '../../../src/store/coins.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { keptReport, startWorking, type Working } from '../../ingest/working.ts'
import { halfPast } from '../../replay/playing.ts'
import { at } from '../../store/loading.ts'
import { test } from '../../support/database.ts'

/** The replayed OKX has dated its markets anew then, and the replayed Gate gave a symbol to another coin. */
const [datedAnewAt, reusedAt] = [at('2024-01-15T08:00Z'), at('2023-09-01T08:00Z')]
const years = at('2019-01-01T00:00Z')

type Tracked = Readonly<{ coinId: string; source: string; symbol: string; since?: Instant }>

async function track(pool: Pool, market: Tracked): Promise<void> {
  await inTransaction(pool, async (tx) => {
    await upsertCoin(tx.db, market.coinId, { symbol: market.coinId, name: market.coinId }, years)
    await trackMarket(tx, market, years)
  })
}

/** The poll before the last one saw the market like this. */
async function seenBefore(
  pool: Pool,
  { source, symbol }: Tracked,
  seenAt: Instant,
  listed: Readonly<{ base: string; baseName?: string; listedAt?: Instant }>,
): Promise<void> {
  const db = databaseOf(pool)
  await recordListing(db, source, [{ symbol, quote: 'USDT', ...listed }], seenAt)
  await pool.query(`update instruments set last_listed_at = $3 where source = $1 and symbol = $2`, [
    source,
    symbol,
    toIso(seenAt).replace('Z', ''),
  ])
}

const poll = async ({ context }: Working, source: string) => {
  const report = keptReport()
  const outcome = await syncInstruments.run(context, { source } as never, report)
  return { outcome, lines: report.lines }
}

const eventsOf = ({ log }: Working) =>
  log.events.filter(({ event }) => event.startsWith('market.')).map(({ level, event }) => [level, event])

const requestsTo = ({ exchange }: Working, source: string) =>
  exchange.requests.filter((request) => request.source === source).length

describe('a poll', () => {
  test('that finds a new date in all markets of a source ends none that was traded through it', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const [bitcoin, ethereum] = [
      { coinId: 'bitcoin', source: 'okx', symbol: 'BTC-USDT' },
      { coinId: 'ethereum', source: 'okx', symbol: 'ETH-USDT' },
    ]
    for (const market of [bitcoin, ethereum]) await track(pool, market)
    // It was not polled for a month, and the date lies in between.
    const seenAt = plus(datedAnewAt, -10 * day)
    await seenBefore(pool, bitcoin, seenAt, { base: 'BTC', listedAt: at('2018-01-11T00:00Z') })
    await seenBefore(pool, ethereum, seenAt, { base: 'ETH' })
    const { outcome, lines } = await poll(working, 'okx')
    expect(outcome).toMatchObject({ tracked: 2, ended: 0, renamed: 0 })
    expect(eventsOf(working)).toEqual([
      ['info', 'market.redated'],
      ['info', 'market.redated'],
    ])
    expect(lines[0]).toBe(
      'okx:BTC-USDT (bitcoin) has a new listing date, 2024-01-15T08:00:00.000Z, but was traded through it: it is the same market',
    )
    // One request for each, and none once the new date is known.
    expect(requestsTo(working, 'okx')).toBe(3)
    expect((await poll(working, 'okx')).lines).toEqual([])
    expect(requestsTo(working, 'okx')).toBe(4)
    for (const { markets } of await listCoins(databaseOf(pool)))
      expect(markets).toMatchObject([{ source: 'okx' }])
    expect((await pool.query('select from instruments where listed_to is not null')).rowCount).toBe(0)
  })

  test('that finds another coin under a symbol ends the first where nothing was traded between', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const layer = { coinId: 'unilayer', source: 'gateio', symbol: 'LAYER_USDT' }
    await track(pool, layer)
    await seenBefore(pool, layer, at('2023-05-20T03:17Z'), {
      base: 'LAYER',
      baseName: 'UniLayer',
      listedAt: at('2021-02-09T00:00Z'),
    })
    const { outcome, lines } = await poll(working, 'gateio')
    expect(outcome).toMatchObject({ ended: 1 })
    expect(eventsOf(working)).toEqual([['warn', 'market.reused']])
    expect(lines).toEqual([
      'gateio:LAYER_USDT (unilayer) stands for another market since 2023-09-01 08:00 UTC; 0 candles are quarantined. If it is still unilayer, track it again with: beacon coins add unilayer --market gateio:LAYER_USDT --since 2023-09-01T08:00Z',
    ])
    const [unilayer] = await listCoins(databaseOf(pool))
    expect(unilayer?.markets).toMatchObject([{ listedTo: reusedAt, relistedAt: halfPast }])
    // The next coin begins where the first has ended.
    await track(pool, { coinId: 'solayer', source: 'gateio', symbol: 'LAYER_USDT' })
    const solayer = (await listCoins(databaseOf(pool))).find(({ id }) => id === 'solayer')
    expect(solayer?.markets).toMatchObject([{ listedFrom: reusedAt }])
  })

  test('that finds a tracked market to be of no coin says what to do', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await track(pool, { coinId: 'apple', source: 'bybit', symbol: 'AAPLXUSDT' })
    expect((await poll(working, 'bybit')).lines).toEqual([
      'bybit:AAPLXUSDT (apple) is a tokenised share or fund: stop it with: beacon coins remove apple',
    ])
    expect((await poll(working, 'bybit')).lines).toEqual([])
    expect(eventsOf(working)).toEqual([['warn', 'market.no-coin']])
  })

  test('names a market that was taken for another coin’s until its ticker was known', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    const market = { coinId: 'whitebit', source: 'bitfinex', symbol: 'tWBTUSD' }
    await track(pool, market)
    await seenBefore(pool, market, plus(halfPast, -9 * day), { base: 'WBT' })
    expect((await poll(working, 'bitfinex')).lines).toEqual([
      'bitfinex:tWBTUSD (whitebit) is a market of WBTC, and was taken for one of WBT: if whitebit is another coin, stop it with: beacon coins remove whitebit',
    ])
    expect((await poll(working, 'bitfinex')).lines).toEqual([])
    expect((await pool.query('select from instrument_renames')).rowCount).toBe(0)
  })

  test('names markets that two coins have', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    await track(pool, { coinId: 'bitcoin', source: 'okx', symbol: 'BTC-USDT' })
    await pool.query(`
      insert into coins (id, symbol, name, created_at, updated_at) values ('btc', 'BTC', 'btc', now(), now());
      insert into instruments (coin_id, source, symbol, preference, tracked_from, shares_market)
        values ('btc', 'okx', 'btc-usdt', 0, '2024-01-01', true)`)
    expect((await poll(working, 'okx')).lines).toContain(
      'okx:btc-usdt (btc) is tracked as bitcoin too: stop one of them with: beacon coins remove btc',
    )
  })
})

test('a backfill that waited while its symbol was given to another coin brings only the coin’s own candles', async ({
  freshDatabase: { pool },
}) => {
  await using working = await startWorking(pool)
  const layer = { coinId: 'solayer', source: 'gateio', symbol: 'LAYER_USDT' }
  await track(pool, layer)
  await track(pool, { ...layer, since: reusedAt })
  const payload = {
    ...layer,
    timeframe: '1d',
    from: toIso(at('2023-05-24T00:00Z')),
    to: toIso(at('2023-09-05T00:00Z')),
  } as never
  expect(await backfillCandles.run(working.context, payload, keptReport())).toMatchObject({ new: 3 })
  const { rows } = await pool.query(
    `select to_char(min(timestamp), 'YYYY-MM-DD') as first, count(*)::integer as candles from ohlcv_data`,
  )
  expect(rows).toEqual([{ first: '2023-09-02', candles: 3 }])
})
