import { describe, expect, test } from 'vitest'
import {
  Banned,
  Malformed,
  Misconfigured,
  RateLimited,
  UnknownError,
  UnknownMarket,
} from '../../src/fault.ts'
import type { CoinPriceRow } from '../../src/market/coin-price.ts'
import { minute } from '../../src/market/instant.ts'
import { coinDetails, coingecko } from '../../src/sources/coingecko.ts'
import { anAnswer, at, recorded } from './recorded.ts'

const { parse, request } = coingecko.prices

/** A row as CoinGecko writes it, with some fields written in another way. */
function aBody(over: Readonly<Record<string, string>> = {}): string {
  const fields: Record<string, string> = {
    id: '"bitcoin"',
    symbol: '"btc"',
    name: '"Bitcoin"',
    image: '"https://images/1.png"',
    current_price: '62000.5',
    market_cap: '1200000000000',
    market_cap_rank: '1',
    total_volume: '33000000000',
    price_change_percentage_24h: '-0.95302',
    circulating_supply: '19600000.0',
    max_supply: '21000000.0',
    last_updated: '"2024-03-01T12:00:00.123Z"',
    ...over,
  }
  return `[{${Object.entries(fields).map(([name, value]) => `"${name}":${value}`)}}]`
}

function priceOf(rows: readonly CoinPriceRow[]) {
  const [row] = rows
  if (!row || !('price' in row)) throw new Error(`no price: ${JSON.stringify(row)}`)
  return row.price
}

const flawOf = (body: string): string | undefined => {
  const [row] = parse(body)
  return row && 'flaw' in row ? row.flaw : undefined
}

describe('asking', () => {
  test('is for the prices of some coins in dollars, in one call of full precision', () => {
    expect(request(['bitcoin', 'shiba-inu'])).toEqual({
      path: '/api/v3/coins/markets',
      query: {
        vs_currency: 'usd',
        ids: 'bitcoin,shiba-inu',
        per_page: '250',
        page: '1',
        precision: 'full',
      },
      weight: 1,
    })
  })
})

describe('reading', () => {
  test('a recorded body tells the coin and the moment', () => {
    expect(priceOf(parse(recorded('coingecko/markets_2026')))).toMatchObject({
      market: 'bitcoin',
      timestamp: at('2026-05-18T12:49:21.599Z'),
      coin: {
        symbol: 'BTC',
        name: 'Bitcoin',
        imageUrl: 'https://coin-images.coingecko.com/coins/images/1/large/bitcoin.png?1696501400',
      },
    })
  })

  test('the digits of a JSON number are kept, and exponents written out', () => {
    const { price, marketCap, circulatingSupply } = priceOf(
      parse(
        aBody({
          current_price: '0.00000000412345678901234567890',
          market_cap: '123456789012345678901234567890.12',
          circulating_supply: '1.8E+4',
        }),
      ),
    )
    expect([price, marketCap, circulatingSupply]).toEqual([
      '0.00000000412345678901234567890',
      '123456789012345678901234567890.12',
      '18000',
    ])
  })

  test.each([
    ['market_cap', 'marketCap'],
    ['total_volume', 'volume24h'],
    ['price_change_percentage_24h', 'change24h'],
    ['circulating_supply', 'circulatingSupply'],
    ['max_supply', 'maxSupply'],
    ['market_cap_rank', 'rank'],
  ])('%s of null, or left out, is absent, not zero', (field, name) => {
    expect(priceOf(parse(aBody()))).toHaveProperty(name)
    expect(priceOf(parse(aBody({ [field]: 'null' })))).not.toHaveProperty(name)
    expect(priceOf(parse(aBody().replace(`"${field}":`, '"other":')))).not.toHaveProperty(name)
  })

  test.each(['null', '""', '"missing_large.png"', '"javascript:alert(1)"', '7'])(
    'an image of %s is none',
    (image) => {
      expect(priceOf(parse(aBody({ image }))).coin).not.toHaveProperty('imageUrl')
    },
  )

  test('a name and a symbol may be anything', () => {
    const { coin } = priceOf(parse(aBody({ symbol: '"币安人生"', name: '"\\u2764 \\"quoted\\""' })))
    expect(coin).toMatchObject({ symbol: '币安人生', name: '❤ "quoted"' })
  })

  test.each(['symbol', 'name'])('a price without a %s is a price', (field) => {
    expect(priceOf(parse(aBody({ [field]: 'null' })))).not.toHaveProperty('coin')
  })

  test('a row without an id is a flaw', () => {
    expect(flawOf(aBody({ id: '7' }))).toBe('id is missing or of another type')
  })

  test('a row that is no object is a flaw, and the others go on', () => {
    const rows = parse(`["bitcoin",${aBody().slice(1)}`)
    expect(rows[0]).toMatchObject({ flaw: 'the row is missing or of another type' })
    expect(rows[1]).toHaveProperty('price')
  })

  test('a field that says two things is not whole JSON', () => {
    expect(() => parse('[{"id":"bitcoin","id":"dogecoin"}]')).toThrow(Malformed)
  })

  test('a body that cannot be read is not quoted', () => {
    expect(() => parse('<h1>canary</h1>')).toThrow(Malformed)
    expect(() => parse('<h1>canary</h1>')).not.toThrow('canary')
  })
})

describe('the rate limit', () => {
  test('may come with HTTP 200: then the body tells', () => {
    const body = recorded('coingecko/error_429')
    for (const text of [body, JSON.stringify(JSON.parse(body), null, 2), `\n ${body}`]) {
      expect(coingecko.classify(anAnswer(200, text))).toBeInstanceOf(RateLimited)
      expect(coingecko.classify(anAnswer(200, text))).toHaveProperty('waitMs', minute)
    }
  })

  test('lasts as long as the header says where there is one', () => {
    const answer = anAnswer(429, recorded('coingecko/error_429'), { 'retry-after': '7' })
    expect(coingecko.classify(answer)).toHaveProperty('waitMs', 7_000)
  })

  test('is nothing that another body with a status means', () => {
    expect(coingecko.classify(anAnswer(200, '{"status":{"error_code":10002}}'))).toBeInstanceOf(Misconfigured)
    expect(coingecko.classify(anAnswer(200, '{"status":"fine"}'))).toBeUndefined()
  })
})

describe('an API key', () => {
  test.each([
    [401, '{"status":{"error_code":10002,"error_message":"API Key Missing"}}'],
    [403, '{"status":{"error_code":10005,"error_message":"limited to PRO API subscribers"}}'],
    [400, '{"status":{"timestamp":"2024-03-01T12:00:00Z","error_code":10011,"error_message":"demo key"}}'],
    [400, '{"error_code":10010,"status":{"error_message":"change your root URL"}}'],
  ])('that is refused with HTTP %i is for the operator to mend, and no ban', (status, body) => {
    const fault = coingecko.classify(anAnswer(status, body))
    expect(fault).toBeInstanceOf(Misconfigured)
    expect(fault?.message).toContain('COINGECKO_API_KEY')
  })

  test('is not what a firewall speaks of', () => {
    expect(coingecko.classify(anAnswer(403, 'error code: 1020'))).toBeUndefined()
    expect(coingecko.classify(anAnswer(403, '{"status":{"error_code":1020}}'))).toBeInstanceOf(Banned)
  })
})

describe('details', () => {
  const body = recorded('coingecko/coin_bitcoin_2026')

  /** The recorded body with some of its fields replaced. */
  const changed = (fields: Readonly<Record<string, unknown>>): string =>
    JSON.stringify({ ...JSON.parse(body), ...fields })

  test('are asked for without the parts that nobody reads', () => {
    expect(coinDetails.request('bitcoin')).toEqual({
      path: '/api/v3/coins/bitcoin',
      query: { localization: 'false', tickers: 'false', community_data: 'false', developer_data: 'false' },
      weight: 1,
    })
    expect(coinDetails.request('a/b?c').path).toBe('/api/v3/coins/a%2Fb%3Fc')
  })

  test('of a recorded body are what its page shows; a coin with a chain of its own has no other', () => {
    expect(coinDetails.parse(body, 'bitcoin')).toEqual({
      symbol: 'BTC',
      name: 'Bitcoin',
      imageUrl: 'https://assets.coingecko.com/coins/images/1/large/bitcoin.png?1696501400',
      description: 'Bitcoin is the first successful internet money based on peer-to-peer technology...',
      website: 'http://www.bitcoin.org',
      whitepaper: 'https://bitcoin.org/bitcoin.pdf',
    })
  })

  test('of a token name the chain it is issued on, not those it was bridged to', () => {
    const text = changed({
      asset_platform_id: 'ethereum',
      platforms: { 'polygon-pos': '0x1', ethereum: '0x2' },
    })
    expect(coinDetails.parse(text, 'bitcoin')).toHaveProperty('blockchainType', 'ethereum')
  })

  test('have the first homepage that is an address', () => {
    const homepage = ['', 'bitcoin.org', 'ftp://bitcoin.org', 'https://bitcoin.org/en/', 'https://b.org']
    expect(coinDetails.parse(changed({ links: { homepage } }), 'bitcoin')).toHaveProperty(
      'website',
      'https://bitcoin.org/en/',
    )
  })

  test('keep a description as it came, markup and line ends included', () => {
    const en = '<a href="https://x.example">X</a> is\r\n\r\n“it”.\u0000 '
    expect(coinDetails.parse(changed({ description: { en } }), 'bitcoin').description).toBe(
      '<a href="https://x.example">X</a> is\r\n\r\n“it”. ',
    )
  })

  test('that are empty, or of a type that nobody promised, are not known', () => {
    const nothing = { asset_platform_id: null, description: { en: '' }, links: {}, image: {} }
    const nonsense = { asset_platform_id: 7, description: 'text', links: [], image: 'missing_large.png' }
    const lists = { description: [], links: { homepage: 'x', whitepaper: { link: '' } }, image: null }
    const names = { symbol: 'BTC', name: 'Bitcoin' }
    for (const fields of [nothing, nonsense, lists])
      expect(coinDetails.parse(changed({ ...nothing, ...fields }), 'bitcoin')).toEqual(names)
  })

  test.each(['[]', 'null', '{}', '{"id":"bitcoin"}', '<html>', '', body.slice(0, 300)])(
    'are refused from a body of another shape: %j',
    (text) => {
      expect(() => coinDetails.parse(text, 'bitcoin')).toThrow(Malformed)
    },
  )

  test('of another coin than the one asked for are refused', () => {
    expect(() => coinDetails.parse(body, 'bitcoin-cash')).toThrow(Malformed)
  })

  test("of a coin that does not exist are that one coin's trouble", () => {
    expect(coingecko.classify(anAnswer(404, '{"error":"coin not found"}'))).toBeInstanceOf(UnknownMarket)
    expect(coingecko.classify(anAnswer(404, '{"error":"Incorrect path."}'))).toBeInstanceOf(UnknownError)
  })
})
