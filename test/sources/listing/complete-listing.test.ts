import { describe, expect, test } from 'vitest'
import { day, type Instant, plus } from '../../../src/market/instant.ts'
import { sources } from '../../../src/sources/catalog.ts'
import { completeListing } from '../../../src/sources/listing/complete-listing.ts'
import type { ListedMarket } from '../../../src/sources/listing/listed-market.ts'
import { withKinds } from '../../../src/sources/listing/market-kind.ts'
import type { OtherKind } from '../../../src/sources/listing/other-kind.ts'
import type { Source } from '../../../src/sources/source.ts'
import { at, recorded } from '../recorded.ts'

const market = (base: string, parts: Partial<ListedMarket> = {}): ListedMarket => ({
  symbol: `${base}_USDT`,
  base,
  quote: 'USDT',
  trading: true,
  ...parts,
})

describe('a base that is no coin', () => {
  const kinds = (...bases: string[]): (OtherKind | undefined)[] =>
    withKinds(bases.map((base) => market(base))).map(({ kind }) => kind)

  test('is the money of a state', () => {
    expect(kinds('EUR', 'TRY', 'EURC', 'GEL', 'SOS', 'TOP')).toEqual([
      'fiat',
      'fiat',
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  test('multiplies a coin that is listed beside it', () => {
    expect(kinds('BTC', 'BTC3L', 'BTC5S', 'BTC10L', 'BTCUP', 'BTCDOWN')).toEqual([
      undefined,
      ...Array.from({ length: 5 }, () => 'leveraged-token'),
    ])
  })

  test('is not meant by a name that only looks like it', () => {
    // Jupiter beside a J that nobody multiplies, and a token of a coin that is not listed.
    expect(kinds('J', 'JUP', 'SYRUP', 'X2L', 'B3', 'PUMP')).toEqual(Array.from({ length: 6 }))
  })

  test('keeps the kind that its source gives', () => {
    expect(withKinds([market('EUR', { kind: 'other' })])).toMatchObject([{ kind: 'other' }])
  })
})

const answeredAt = at('2026-11-30T00:00Z')
const dates = (...listed: readonly (Instant | undefined)[]) =>
  completeListing(
    listed.map((listedAt, index) => market(`C${index}`, listedAt === undefined ? {} : { listedAt })),
    answeredAt,
  ).map(({ listedAt }) => listedAt)

describe('a listing date', () => {
  test('is kept where it can be one', () => {
    const announced = plus(answeredAt, 30 * day)
    expect(dates(at('2017-08-17T04:00Z'), announced, undefined)).toEqual([
      at('2017-08-17T04:00Z'),
      announced,
      undefined,
    ])
  })

  test.each(['2001-09-09T01:46Z', '2008-12-31', '2038-01-19T03:14Z', '2286-11-20T17:46Z'])(
    'is unknown where it is %s',
    (date) => {
      expect(dates(at(date))).toEqual([undefined])
    },
  )

  test('is unknown where a fifth of the listing has the same: it is a placeholder', () => {
    const placeholder = at('2018-01-19T16:17Z')
    const own = Array.from({ length: 20 }, (_, index) => plus(at('2024-01-01'), index * day))
    const shared = Array.from({ length: 10 }, () => placeholder)
    expect(dates(...own, ...shared)).toEqual([...own, ...shared.map(() => undefined)])
    // A handful that was listed together is no placeholder.
    expect(dates(...own, placeholder, placeholder)).toEqual([...own, placeholder, placeholder])
    expect(dates(placeholder, placeholder)).toEqual([placeholder, placeholder])
  })
})

describe('the marks that sources give', () => {
  const kindOf = (id: keyof typeof sources, name: string, change: (text: string) => string) => {
    const source: Source = sources[id]
    return source.listing?.parse(change(recorded(`${id}/${name}`)))[0]?.kind
  }

  test.each([
    ['xstocks', 'tokenized-stock'],
    ['mstocks', 'tokenized-stock'],
    ['stock', 'tokenized-stock'],
    ['etf', 'tokenized-stock'],
    ['commodity', 'commodity'],
    ['forex', 'fiat'],
    ['innovation', undefined],
    ['adventure', undefined],
    ['', undefined],
  ])('bybit: symbolType %j', (type, kind) => {
    const marked = (text: string) => text.replace('"innovation"', `"symbolType":"${type}","innovation"`)
    expect(kindOf('bybit', 'instruments_spot_two', marked)).toBe(kind)
  })

  test.each([
    ['"instCategory":"1"', undefined],
    ['"instCategory":"3"', 'tokenized-stock'],
    ['"instCategory":"4"', 'commodity'],
    ['"instCategory":"9"', undefined],
  ])('okx: %s', (field, kind) => {
    const marked = (text: string) => text.replace('"alias"', `${field},"alias"`)
    expect(kindOf('okx', 'instruments_spot_2025', marked)).toBe(kind)
  })

  test('okx: a pre-market', () => {
    const marked = (text: string) => text.replace('"ruleType":"normal"', '"ruleType":"pre_market"')
    expect(kindOf('okx', 'instruments_spot_2025', marked)).toBe('pre-market')
  })

  test('htx: an exchange-traded product', () => {
    const marked = (text: string) => text.replace('"tags":""', '"tags":"st,etp"')
    expect(kindOf('htx', 'symbols_v2_one', marked)).toBe('leveraged-token')
    expect(kindOf('htx', 'symbols_v2_one', (text) => text)).toBeUndefined()
  })

  test('mexc: a full name', () => {
    const marked = (text: string) => text.replace('"Bitrock"', '"Apple xStock"')
    expect(kindOf('mexc', 'exchangeInfo_small', marked)).toBe('tokenized-stock')
  })

  test('no recorded market is anything but a coin, but for money and what multiplies a coin', () => {
    const listings = [
      ['binance', 'exchangeInfo_trimmed'],
      ['coinbase', 'products_2021'],
      ['kraken', 'assetpairs_2021'],
      ['bitstamp', 'trading_pairs_info_gct'],
      ['bitfinex', 'pairs_2021'],
      ['cryptocom', 'instruments_2026_sample'],
    ] as const
    const others = listings.flatMap(([id, name]) => {
      const source: Source = sources[id]
      return completeListing(source.listing?.parse(recorded(`${id}/${name}`)) ?? [], answeredAt)
        .filter(({ kind }) => kind !== undefined)
        .map(({ base, kind }) => `${base} ${kind}`)
    })
    expect([...new Set(others)].toSorted()).toEqual([
      'AUD fiat',
      'CNH fiat',
      'EUR fiat',
      'GBP fiat',
      'USD fiat',
    ])
  })
})
