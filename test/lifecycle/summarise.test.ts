import type { Pool } from 'pg'
import { expect } from 'vitest'
import { refreshViews } from '../../jobs/refresh-views.ts'
import { Aborted } from '../../src/fault.ts'
import { fillRange } from '../../src/ingest/fill-range.ts'
import { candleSource } from '../../src/ingest/markets.ts'
import { isOutdated, summarise } from '../../src/lifecycle/summarise.ts'
import { day, hour, type Instant } from '../../src/market/instant.ts'
import type { FaultPlan } from '../../src/replay/faults.ts'
import { listRefreshes } from '../../src/store/lifecycle/view-refreshes.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { follow, keptReport, startWorking, type Working } from '../ingest/working.ts'
import { at } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { test } from '../support/database.ts'

const view = 'daily_price_summary'
const fivePast = at('2024-03-02T00:05:00Z')
const yesterday = { from: at('2024-03-01T00:00:00Z'), to: at('2024-03-02T00:00:00Z') }
const refusing: FaultPlan = [{ when: 'always', fault: { name: 'server-error', status: 503 } }]
const silent: FaultPlan = [{ when: 'always', fault: { name: 'stall' } }]

const start = (pool: Pool, faults: FaultPlan = [], waitForCandles = 20_000, now: Instant = fivePast) =>
  startWorking(pool, {
    now,
    faults,
    settings: (settings) => ({ ...settings, summaries: { waitForCandles } }),
  })

const summaries = async (pool: Pool) =>
  (await pool.query(`select coin_id, day::date::text, candles from ${view} order by coin_id, day`)).rows

const incompletes = ({ log }: Working) =>
  log.events.filter(({ event }) => event === 'summary.incomplete').map(({ fields }) => fields)

const bringIn = ({ context }: Working, coinId: string, symbol: string, range = yesterday) =>
  fillRange(context, {
    series: { coinId, timeframe: '1h', source: 'binance' },
    source: candleSource('binance'),
    symbol,
    range,
    lane: 'live',
  })

test('what the sources still owe of yesterday is fetched before a summary is made of it', async ({
  freshDatabase: { pool },
}) => {
  await using working = await start(pool)
  await follow(pool, 'BTCUSDT')
  await follow(pool, 'ETHUSDT')
  expect(await summarise(working.context, view)).toMatchObject({ view, rows: 2, incomplete: {} })
  expect(await summaries(pool)).toEqual([
    { coin_id: 'bitcoin', day: '2024-03-01', candles: 24 },
    { coin_id: 'ethereum', day: '2024-03-01', candles: 24 },
  ])
  expect(await listRefreshes(databaseOf(pool), view, 2)).toMatchObject([
    { rows: 2, refreshedAt: fivePast, coversTo: yesterday.to, incomplete: {}, runId: working.context.runId },
  ])
  const asked = working.exchange.requests.length
  await summarise(working.context, view)
  expect(working.exchange.requests).toHaveLength(asked)
})

test('a day that was not whole is summarised as it is, and again when its candles have come', async ({
  freshDatabase: { pool },
}) => {
  await using working = await start(pool, refusing)
  const coinId = await follow(pool, 'BTCUSDT')
  expect(await summarise(working.context, view)).toMatchObject({ rows: 0, incomplete: { bitcoin: 24 } })
  expect(incompletes(working)).toMatchObject([{ source: 'binance' }])
  const check = () => refreshViews.run(working.context, { view, when: 'outdated' }, keptReport())
  expect(await check()).toEqual({ view, upToDate: true })
  working.exchange.setFaults([])
  await bringIn(working, coinId, 'BTCUSDT')
  expect(await check()).toMatchObject({ rows: 1, incomplete: {} })
  expect(await check()).toEqual({ view, upToDate: true })
  expect(await listRefreshes(databaseOf(pool), view, 5)).toHaveLength(2)
})

test('a market that its source does not know holds up no other', async ({ freshDatabase: { pool } }) => {
  await using working = await start(pool)
  await follow(pool, 'AAAUSDT')
  await follow(pool, 'BTCUSDT')
  expect(await summarise(working.context, view)).toMatchObject({ rows: 1, incomplete: { aaausdt: 24 } })
  expect(incompletes(working)).toMatchObject([{ coinId: 'aaausdt' }])
})

test('a source that does not answer holds a summary up for no longer than it may', async ({
  freshDatabase: { pool },
}) => {
  await using working = await start(pool, silent, 300)
  await follow(pool, 'BTCUSDT')
  expect(await summarise(working.context, view)).toMatchObject({ rows: 0, incomplete: { bitcoin: 24 } })
  expect(incompletes(working)).toEqual([
    { source: 'binance', coinId: 'bitcoin', reason: 'the time for it is up' },
  ])
})

test('a stop ends the fetching, and no summary is made', async ({ freshDatabase: { pool } }) => {
  await using working = await start(pool, silent)
  await follow(pool, 'BTCUSDT')
  const stopped = summarise({ ...working.context, signal: AbortSignal.timeout(200) }, view)
  await expect(stopped).rejects.toThrow(Aborted)
  expect(await listRefreshes(databaseOf(pool), view, 1)).toEqual([])
})

test('a summary is out of date when a candle of its days was revised or a day has ended, and not for one of today', async ({
  freshDatabase: { pool },
}) => {
  await using working = await start(pool, [], 20_000, plus(fivePast, 3 * hour))
  const coinId = await follow(pool, 'BTCUSDT')
  const outdated = () => isOutdated(working.context, view)
  expect(await outdated()).toBe(true)
  await summarise(working.context, view)
  expect(await outdated()).toBe(false)
  await bringIn(working, coinId, 'BTCUSDT', { from: yesterday.to, to: plus(yesterday.to, 2 * hour) })
  expect(await outdated()).toBe(false)
  await pool.query('update ohlcv_data set volume = volume + 1 where timestamp = $1', ['2024-03-01 05:00'])
  await bringIn(working, coinId, 'BTCUSDT')
  expect(await outdated()).toBe(true)
  await summarise(working.context, view)
  expect(await outdated()).toBe(false)
  working.exchange.clock.move(day)
  expect(await outdated()).toBe(true)
})
