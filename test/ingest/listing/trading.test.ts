import { test as base, describe, expect } from 'vitest'
import { unlimitedBudget } from '../../../src/http/budget.ts'
import { openHttpClient } from '../../../src/http/client.ts'
import { longSilence, tradedBefore, tradingIn } from '../../../src/ingest/listing/trading.ts'
import { candleSource } from '../../../src/ingest/markets.ts'
import { day, hour, type Instant, plus } from '../../../src/market/instant.ts'
import { baseUrlVariables } from '../../../src/settings/base-url-variable.ts'
import { halfPast, type Playing, play } from '../../replay/playing.ts'
import { at } from '../../store/loading.ts'
import { readEnvironment } from '../../support/read-environment.ts'

const test = base
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads what a fixture needs from its pattern.
  .extend('exchange', { scope: 'file' }, async ({}, { onCleanup }): Promise<Playing> => {
    const exchange = await play({ limits: 'none' })
    onCleanup(() => exchange.close())
    return exchange
  })
  .extend('deps', { scope: 'file' }, async ({ exchange }, { onCleanup }) => {
    const http = openHttpClient({
      clock: exchange.clock,
      budget: unlimitedBudget,
      timeoutMs: 20_000,
      maxBodyBytes: 20_000_000,
    })
    onCleanup(() => http.close())
    return { http, baseUrls: readEnvironment(baseUrlVariables(exchange.urls)).baseUrls }
  })

const options = (now: Instant) => ({ lane: 'live', signal: new AbortController().signal, now }) as const
const gate = { source: candleSource('gateio'), symbol: 'LAYER_USDT' }
/** Where the replayed symbol of Gate was given to another coin, after three silent months. */
const [silentFrom, reusedAt] = [at('2023-06-01T00:00Z'), at('2023-09-01T08:00Z')]
const dayBefore = (instant: Instant) => ({ from: plus(instant, -day), to: instant })

describe('the candles of a symbol', () => {
  test('show that it went on through a listing date that was only written anew', async ({ deps }) => {
    const market = { source: candleSource('okx'), symbol: 'BTC-USDT' }
    const range = dayBefore(at('2024-01-15T08:00Z'))
    expect(await tradingIn(deps, market, range, options(halfPast))).toBe('traded')
  })

  test('show that another coin has it since, also where the source fills what was not traded', async ({
    deps,
  }) => {
    expect(await tradingIn(deps, gate, dayBefore(reusedAt), options(halfPast))).toEqual({
      silentUntil: reusedAt,
    })
    expect(await tradingIn(deps, gate, dayBefore(plus(reusedAt, 30 * day)), options(halfPast))).toBe('traded')
  })

  test('show the end of a silence in the middle of a longer time', async ({ deps }) => {
    const range = { from: plus(silentFrom, -10 * day), to: plus(reusedAt, 10 * day) }
    // More hours than an answer holds: the same in four-hourly candles.
    expect(await tradingIn(deps, gate, range, options(halfPast))).toEqual({ silentUntil: reusedAt })
    // Less than a day of it is none: nobody trades a small coin every hour.
    const hours = { from: plus(reusedAt, -23 * hour), to: plus(reusedAt, 5 * hour) }
    expect(await tradingIn(deps, gate, hours, options(halfPast))).toBe('traded')
  })

  test('that a source keeps no longer are taken from a longer timeframe', async ({ deps }) => {
    const years = plus(reusedAt, 3 * 365 * day)
    expect(await tradingIn(deps, gate, dayBefore(reusedAt), options(years))).toEqual({
      silentUntil: at('2023-09-01T08:00Z'),
    })
  })

  test('show nothing where the source knows no such symbol, or its answer cannot hold the time', async ({
    deps,
  }) => {
    const nothing = { ...gate, symbol: 'NOPE_USDT' }
    expect(await tradingIn(deps, nothing, dayBefore(reusedAt), options(halfPast))).toBe('unknown')
    const century = { from: at('1970-01-01'), to: halfPast }
    expect(await tradingIn(deps, gate, century, options(halfPast))).toBe('unknown')
  })

  test('show whether there was a coin before', async ({ deps }) => {
    expect(await tradedBefore(deps, gate, reusedAt, options(halfPast))).toBe(true)
    expect(await tradedBefore(deps, gate, at('2017-08-17T04:00Z'), options(halfPast))).toBe(false)
    const unknown = { ...gate, symbol: 'NOPE_USDT' }
    expect(await tradedBefore(deps, unknown, reusedAt, options(halfPast))).toBe(false)
  })

  test('show where the symbol began, also where the source rejects a range that begins before', async ({
    deps,
  }) => {
    const market = { source: candleSource('htx'), symbol: 'btcusdt' }
    const began = at('2017-08-17T04:00Z')
    expect(await tradedBefore(deps, market, plus(began, 7 * day), options(halfPast))).toBe(true)
    expect(await tradedBefore(deps, market, began, options(halfPast))).toBe(false)
    const across = { from: plus(began, -2 * day), to: plus(began, day) }
    expect(await tradingIn(deps, market, across, options(halfPast))).toEqual({ silentUntil: began })
  })
})

describe('a long silence', () => {
  test('has trades on both sides, and is found by days', async ({ deps }) => {
    expect(await longSilence(deps, gate, options(halfPast))).toEqual({
      from: silentFrom,
      to: at('2023-09-01T00:00Z'),
    })
  })

  test('is not what lies before the first trade, nor an outage', async ({ deps }) => {
    const bitcoin = { source: candleSource('binance'), symbol: 'BTCUSDT' }
    expect(await longSilence(deps, bitcoin, options(halfPast))).toBeUndefined()
    const before = { ...gate, symbol: 'GTC_USDT' }
    expect(await longSilence(deps, before, options(halfPast))).toBeUndefined()
  })
})
