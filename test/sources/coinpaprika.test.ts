import { describe, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, UnknownError } from '../../src/fault.ts'
import { minute } from '../../src/market/instant.ts'
import { coinpaprika } from '../../src/sources/coinpaprika.ts'
import { anAnswer, at, recorded } from './recorded.ts'

const { parse, request } = coinpaprika.prices

/** A row as CoinPaprika writes it, with some fields written in another way. */
function aBody(fields: Readonly<Record<string, string>> = {}, quote: Readonly<Record<string, string>> = {}) {
  const written = (values: Readonly<Record<string, string>>) =>
    `{${Object.entries(values).map(([name, value]) => `"${name}":${value}`)}}`
  const usd = {
    price: '62000.5',
    volume_24h: '33000000000.25',
    market_cap: '1200000000000',
    percent_change_24h: '-0.31',
    ...quote,
  }
  const row = {
    id: '"btc-bitcoin"',
    rank: '1',
    circulating_supply: '19600000',
    max_supply: '21000000',
    last_updated: '"2024-03-01T12:00:00Z"',
    quotes: `{"USD":${written(usd)}}`,
    ...fields,
  }
  return `[${written(row)}]`
}

function priceOf(body: string) {
  const [row] = parse(body)
  if (!row || !('price' in row)) throw new Error(`no price: ${JSON.stringify(row)}`)
  return row.price
}

test('all coins are asked for at once, in dollars', () => {
  expect(request()).toEqual({ path: '/v1/tickers', query: { quotes: 'USD' }, weight: 1 })
})

describe('reading', () => {
  test('every row of a recorded body tells its moment and its numbers, digit for digit', () => {
    const rows = parse(recorded('coinpaprika/tickers_2024_three'))
    const timestamp = at('2024-06-29T13:27:36Z')
    expect(rows.map((row) => 'price' in row && row.price)).toEqual([
      {
        market: 'btc-bitcoin',
        timestamp,
        price: '61045.7373319069',
        volume24h: '19017290417.844',
        change24h: '-0.31',
        marketCap: '1203719139164',
        maxSupply: '21000000',
        rank: '1',
      },
      {
        market: 'eth-ethereum',
        timestamp,
        price: '3393.2222475678',
        volume24h: '8805945104.18832',
        change24h: '-1.3',
        marketCap: '407813462328',
        maxSupply: '0',
        rank: '2',
      },
      {
        market: 'usdt-tether',
        timestamp,
        price: '0.99966053118818',
        volume24h: '34632918538.2309',
        change24h: '-0.13',
        marketCap: '112773197093',
        maxSupply: '0',
        rank: '3',
      },
    ])
  })

  test('more digits than a double has are kept, and exponents written out', () => {
    const { price, volume24h } = priceOf(
      aBody({}, { price: '4.1234567890123456789e-9', volume_24h: '123456789012345678901.5' }),
    )
    expect([price, volume24h]).toEqual(['0.0000000041234567890123456789', '123456789012345678901.5'])
  })

  test('no names are told: CoinGecko spells some of them differently', () => {
    expect(priceOf(aBody())).not.toHaveProperty('coin')
  })

  test.each(['""', 'null'])('a volume or a change of %s is absent', (written) => {
    const price = priceOf(aBody({}, { volume_24h: written, percent_change_24h: written }))
    expect(price).not.toHaveProperty('volume24h')
    expect(price).not.toHaveProperty('change24h')
  })

  test.each(['{"BTC":{"price":1}}', '[]', 'null'])('quotes of %s hold no price', (quotes) => {
    expect(priceOf(aBody({ quotes }))).toMatchObject({ market: 'btc-bitcoin', price: undefined })
  })

  test('a row that is no object is a flaw of nobody, and the others go on', () => {
    const [bad, good] = parse(`["btc-bitcoin",${aBody().slice(1)}`)
    expect(bad).toMatchObject({ flaw: 'the row is missing or of another type' })
    expect(bad).not.toHaveProperty('market')
    expect(good).toHaveProperty('price')
  })
})

describe('an error', () => {
  const limit = '{"error":"you have reached maximum request limit"}'

  test('of the plan is a refusal, not a ban of the address', () => {
    for (const status of [402, 403]) {
      const fault = coinpaprika.classify(anAnswer(status, '{"error":"payment required"}'))
      expect(fault).toBeInstanceOf(Refused)
      expect(fault?.message).toContain('payment required')
    }
    expect(coinpaprika.classify(anAnswer(403, '<html>firewall</html>'))).toBeUndefined()
  })

  test('of the limit asks us to wait, whatever the status', () => {
    for (const status of [200, 402, 403]) {
      expect(coinpaprika.classify(anAnswer(status, limit))).toBeInstanceOf(RateLimited)
    }
    expect(coinpaprika.classify(anAnswer(200, limit))).toHaveProperty('waitMs', minute)
    expect(coinpaprika.classify(anAnswer(429, limit, { 'retry-after': '7' }))).toHaveProperty('waitMs', 7_000)
    expect(coinpaprika.classify(anAnswer(429, limit.slice(0, 20)))).toHaveProperty('waitMs', minute)
  })

  test('of an id is about no market of ours: none is named', () => {
    const fault = coinpaprika.classify(anAnswer(404, recorded('coinpaprika/error_404')))
    expect(fault).toBeInstanceOf(UnknownError)
  })

  test('that comes with HTTP 200 and says nothing we know is no answer, and may pass', () => {
    const body = '{"error":"something new"}'
    expect(coinpaprika.classify(anAnswer(200, body))).toBeInstanceOf(UnknownError)
    expect(() => parse(body)).toThrow(Malformed)
  })
})
