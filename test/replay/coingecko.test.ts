import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { day, minute, plus } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { closedCandles } from '../../src/replay/candles.ts'
import { listedAt } from '../../src/replay/markets.ts'
import { fixture, halfPast, json, type Playing, play, shapeOf } from './playing.ts'

let exchange: Playing
beforeAll(async () => {
  exchange = await play({ limits: 'none' })
})
afterAll(() => exchange.close())

type Coin = Readonly<Record<string, unknown>>

async function coins(rest: string, from: Playing = exchange): Promise<Coin[]> {
  const body = json(await from.coingecko(`coins/markets?vs_currency=usd${rest}`))
  if (!Array.isArray(body)) throw new TypeError('not a list of coins')
  return body
}

const ids = async (rest: string) => (await coins(rest)).map(({ id }) => id)

test('pings', async () => {
  expect(json(await exchange.coingecko('ping'))).toEqual({ gecko_says: '(V3) To the Moon!' })
})

test('tells of a coin all that the recorded body tells', async () => {
  const asked = '&ids=bitcoin&sparkline=true&price_change_percentage=1h,24h,7d,14d,30d,200d,1y'
  expect(shapeOf(await coins(asked))).toEqual(shapeOf(fixture('coingecko_markets')))
})

test('takes price, high, low and volume from the minutes that Binance serves', async () => {
  const running = floorTo('1m', halfPast)
  const minutes = closedCandles('BTCUSDT', '1m', { from: plus(running, -day), to: running }, halfPast)
  const [bitcoin] = await coins('&ids=bitcoin')
  const volume = minutes.reduce((sum, { quoteVolume }) => sum + BigInt(quoteVolume.replace('.', '')), 0n)
  expect(bitcoin).toMatchObject({
    current_price: Number(minutes.at(-1)?.close),
    high_24h: Math.max(...minutes.map(({ high }) => Number(high))),
    low_24h: Math.min(...minutes.map(({ low }) => Number(low))),
    total_volume: Math.round(Number(volume) / 1e8),
    last_updated: '2024-03-01T12:34:00.000Z',
    market_cap: Math.round(Number(minutes.at(-1)?.close) * 20_030_493),
  })
})

test('orders by market capitalisation unless asked otherwise, and ranks whatever is asked for', async () => {
  const all = await coins('')
  const caps = all.map((coin) => Number(coin.market_cap))
  expect(caps).toEqual(caps.toSorted((a, b) => b - a))
  expect(all.map((coin) => coin.market_cap_rank)).toEqual([1, 2, 3, 4, 5, 6])
  expect(await ids('&order=id_asc')).toEqual([
    'bitcoin',
    'dogecoin',
    'ethereum',
    'pepe',
    'ripple',
    'shiba-inu',
  ])
  expect(await ids('&order=market_cap_asc')).toEqual((await ids('')).toReversed())
  const [last] = all.slice(-1)
  expect(await coins(`&ids=${last?.id}`)).toEqual([last])
})

test('pages, and leaves out what it does not know', async () => {
  const all = await ids('')
  expect(await ids('&per_page=4')).toEqual(all.slice(0, 4))
  expect(await ids('&per_page=4&page=2')).toEqual(all.slice(4))
  expect(await ids('&page=9')).toEqual([])
  expect(await ids('&ids=nothing-coin,pepe')).toEqual(['pepe'])
})

test('rounds prices to the precision asked for', async () => {
  const [bitcoin] = await coins('&ids=bitcoin&precision=0')
  expect(Number.isInteger(bitcoin?.current_price)).toBe(true)
  expect(await coins('&precision=full')).toEqual(await coins(''))
})

test('knows no change over a time before the listing', async () => {
  await using young = await play({ limits: 'none' }, plus(listedAt, 90 * minute))
  const [bitcoin] = await coins('&ids=bitcoin&price_change_percentage=1h,7d', young)
  expect(bitcoin).toMatchObject({ price_change_percentage_7d_in_currency: null, price_change_24h: null })
  expect(bitcoin?.price_change_percentage_1h_in_currency).toBeTypeOf('number')
})

describe('refuses', () => {
  test.each([
    ['no currency', 'coins/markets', 422, 'Missing parameter vs_currency'],
    ['another currency', 'coins/markets?vs_currency=eur', 400, 'invalid vs_currency'],
    ['a misspelled parameter', 'coins/markets?vs_currency=usd&perpage=5', 400, 'unknown parameter perpage'],
    ['a page too long', 'coins/markets?vs_currency=usd&per_page=251', 400, 'invalid per_page'],
    ['an empty page', 'coins/markets?vs_currency=usd&per_page=0', 400, 'invalid per_page'],
    ['page nought', 'coins/markets?vs_currency=usd&page=0', 400, 'invalid page'],
    ['an unknown order', 'coins/markets?vs_currency=usd&order=toString', 400, 'invalid order'],
    ['an impossible precision', 'coins/markets?vs_currency=usd&precision=19', 400, 'invalid precision'],
    [
      'an unknown period',
      'coins/markets?vs_currency=usd&price_change_percentage=2h',
      400,
      'invalid price_change_percentage',
    ],
    ['half a flag', 'coins/markets?vs_currency=usd&sparkline=1', 400, 'invalid sparkline'],
  ])('%s', async (_, path, status, error) => {
    const reported = await exchange.coingecko(path)
    expect([reported.status, json(reported)]).toEqual([status, { error }])
  })

  test('another path', async () => {
    expect((await exchange.coingecko('coins/list')).status).toBe(404)
  })
})
