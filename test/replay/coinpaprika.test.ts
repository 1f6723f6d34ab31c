import { describe, expect, test } from 'vitest'
import { checkPrices } from '../../src/market/coin-price-check.ts'
import { day, hour, type Instant, minute, plus } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { toJsonText } from '../../src/replay/answer.ts'
import { closedCandles } from '../../src/replay/candles.ts'
import { coinIdOf, coinpaprikaEndpoint } from '../../src/replay/endpoints/coinpaprika.ts'
import { listedAt, markets } from '../../src/replay/markets.ts'
import { coinpaprika } from '../../src/sources/coinpaprika.ts'
import { anAnswer, recorded } from '../sources/recorded.ts'
import { halfPast, shapeOf } from './playing.ts'

const ask = (path: string, now: Instant = halfPast) => {
  const url = new URL(path, 'http://localhost')
  return coinpaprikaEndpoint.route(url.pathname, url.searchParams, now, coinpaprikaEndpoint.limit).answer
}

const pricesAt = (now: Instant) => {
  const { path, query } = coinpaprika.prices.request()
  const { body } = ask(`${path}?${new URLSearchParams(query)}`, now)
  const rows = checkPrices(coinpaprika.prices.parse(toJsonText(body)), { now, staleAfterMs: hour })
  return {
    prices: rows.flatMap((row) => (row.kind === 'accepted' ? [row.price] : [])),
    others: rows.filter(({ kind }) => kind !== 'accepted'),
  }
}

test('the source reads every coin of the face, none of which is kept aside', () => {
  const { prices, others } = pricesAt(halfPast)
  expect(others).toEqual([])
  expect(prices.map(({ market }) => market).toSorted()).toEqual([
    'btc-bitcoin',
    'doge-dogecoin',
    'eth-ethereum',
    'pepe-pepe',
    'shib-shiba-inu',
    'xrp-xrp',
  ])
})

test('prices and volumes are those of the minutes that were closed at the last refresh', () => {
  const asOf = floorTo('5m', halfPast)
  for (const price of pricesAt(halfPast).prices) {
    const symbol = markets.find((market) => coinIdOf(market) === price.market)?.symbol ?? ''
    const minutes = closedCandles(symbol, '1m', { from: plus(asOf, -day), to: asOf }, asOf)
    const volume = minutes.reduce((sum, { quoteVolume }) => sum + Number(quoteVolume), 0)
    expect(price.timestamp).toBe(asOf)
    expect(Number(price.price)).toBe(Number(minutes.at(-1)?.close))
    expect(Number(price.volume24h)).toBeCloseTo(volume, -1)
  }
  expect(pricesAt(plus(asOf, 4 * minute))).toEqual(pricesAt(asOf))
})

test('a row has the bones of a recorded one', () => {
  const [recordedRow] = JSON.parse(recorded('coinpaprika/tickers_2024_three'))
  expect(shapeOf(JSON.parse(toJsonText(ask('/v1/tickers/btc-bitcoin').body)))).toEqual(shapeOf(recordedRow))
})

test('a change over a time before the listing is not known, and a coin without a highest supply has 0', () => {
  const { prices } = pricesAt(plus(listedAt, 90 * minute))
  const ethereum = prices.find(({ market }) => market === 'eth-ethereum')
  expect(ethereum).toHaveProperty('price')
  expect(ethereum).not.toHaveProperty('change24h')
  expect(toJsonText(ask('/v1/tickers/eth-ethereum').body)).toContain('"max_supply":0')
})

test('lists its coins', () => {
  expect(ask('/v1/coins').body).toContainEqual({
    id: 'shib-shiba-inu',
    name: 'Shiba Inu',
    symbol: 'SHIB',
    rank: expect.any(Number),
    is_new: false,
    is_active: true,
    type: 'coin',
  })
})

describe('refuses', () => {
  test.each([
    ['a coin it does not know', '/v1/tickers/nope-coin', 404, 'id not found'],
    ['a misspelled parameter', '/v1/tickers?quote=USD', 400, 'unknown parameter quote'],
    ['a parameter twice', '/v1/tickers?quotes=USD&quotes=USD', 400, 'duplicate parameter quotes'],
    ['a currency it does not have', '/v1/tickers?quotes=XYZ', 400, 'invalid quote XYZ'],
    [
      'more than three currencies',
      '/v1/tickers?quotes=USD,USD,USD,USD',
      400,
      'too many quotes, the maximum is 3',
    ],
    ['another path', '/v2/tickers', 404, 'page not found'],
  ])('%s', (_, path, status, error) => {
    expect(ask(path)).toEqual({ status, body: { error } })
  })

  test('too many requests, in its own words', () => {
    const { limit, refuse } = coinpaprikaEndpoint
    const { status, body, headers } = refuse('refused', plus(halfPast, 1_500), limit, halfPast)
    expect(headers).toEqual({ 'retry-after': '2' })
    expect(coinpaprika.classify(anAnswer(200, toJsonText(body)))?.code).toBe('RATE_LIMITED')
    expect(status).toBe(429)
  })
})
