import { expect, test } from 'vitest'
import type { CoinPriceRow, ReadPrice } from '../../src/market/coin-price.ts'
import { checkPrices } from '../../src/market/coin-price-check.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { hour, minute, plus, toInstant } from '../../src/market/instant.ts'

const now = toInstant(Date.parse('2024-03-01T12:00:00Z'))

const aRow = (over: Partial<ReadPrice> = {}, raw: unknown = 'as it came'): CoinPriceRow => ({
  raw,
  price: { market: 'bitcoin', timestamp: now, price: toDecimal('62000.5'), ...over },
})

const check = (...rows: CoinPriceRow[]) => checkPrices(rows, { now, staleAfterMs: hour })

/** What is decided of a row with these fields: its price, or why it is none. */
function decided(over: Partial<ReadPrice>) {
  const [row] = check(aRow(over))
  if (row?.kind === 'accepted') return row.price
  return row?.kind === 'no-price' ? { why: row.why } : { reason: row?.reason }
}

test('a price that makes sense stays digit for digit, and what is unknown stays absent', () => {
  const over = { marketCap: toDecimal('1200000000000.10'), rank: toDecimal('1') }
  expect(check(aRow(over))).toEqual([
    {
      raw: 'as it came',
      kind: 'accepted',
      price: {
        market: 'bitcoin',
        timestamp: now,
        price: '62000.5',
        marketCap: '1200000000000.10',
        rank: 1,
      },
      dropped: [],
      roundedValues: 0,
    },
  ])
})

test.each(['0', '0.00000000', '-0', '0e-8', '-0.000e5'])('%s is no price', (text) => {
  expect(decided({ price: toDecimal(text) })).toEqual({ why: 'its price is 0' })
})

test('nothing is no price, and neither is NaN', () => {
  for (const price of [undefined, { unreadable: 'NaN' }, { unreadable: 'nan' }])
    expect(decided({ price })).toEqual({ why: 'it gives no price' })
})

test('no price is none whatever its time', () => {
  expect(decided({ price: undefined, timestamp: undefined })).toEqual({ why: 'it gives no price' })
  expect(decided({ price: toDecimal('0'), timestamp: plus(now, hour) })).toEqual({ why: 'its price is 0' })
})

test('a price older than the limit is no price of now; its time decides, not that of the answer', () => {
  expect(decided({ timestamp: plus(now, -hour) })).toHaveProperty('price')
  expect(decided({ timestamp: plus(now, -hour - 1) })).toEqual({
    why: 'its price is of 2024-03-01T10:59:59.999Z',
  })
})

test('a market without a trade in 24 hours has no price of now, though its ticker is new', () => {
  expect(decided({ traded24h: toDecimal('0.000') })).toEqual({ why: 'it had no trade in 24 hours' })
  expect(decided({ traded24h: toDecimal('0.001') })).toHaveProperty('price')
  // Not counted is not 0.
  expect(decided({ traded24h: { unreadable: 'nan' } })).toHaveProperty('price')
})

test('a price that is no number, has no time or lies in the future is rejected', () => {
  expect(decided({ price: { unreadable: '1,5' } })).toEqual({ reason: 'the price is not a number' })
  expect(decided({ timestamp: undefined })).toEqual({
    reason: 'the time of the price is missing or not a time',
  })
  expect(decided({ timestamp: plus(now, 5 * minute) })).toHaveProperty('price')
  expect(decided({ timestamp: plus(now, 5 * minute + 1) })).toEqual({
    reason: 'dated in the future, at 2024-03-01T12:05:00.001Z',
  })
})

test('a negative price, one that overflows and one that would become 0 are rejected', () => {
  expect(decided({ price: toDecimal('-1') })).toEqual({ reason: 'price -1 is negative' })
  expect(decided({ price: toDecimal('1e16') })).toEqual({
    reason: 'price 10000000000000000 does not fit numeric(24,8)',
  })
  expect(decided({ price: toDecimal('1e-9') })).toEqual({
    reason: 'price 0.000000001 would become 0 at 8 decimals',
  })
})

test('a price stays when its change does not fit the column', () => {
  const [row] = check(aRow({ price: toDecimal('80.1'), change24h: toDecimal('123456789.12') }))
  expect(row).toMatchObject({
    kind: 'accepted',
    price: { price: '80.1' },
    dropped: [{ market: 'bitcoin', name: 'change24h', why: '123456789.12 does not fit numeric(10,2)' }],
  })
  expect(row).not.toHaveProperty('price.change24h')
})

test.each(['marketCap', 'volume24h', 'circulatingSupply', 'maxSupply'] as const)(
  'a %s of 0 is not known; a negative one, or none that is a number, is left out and named',
  (name) => {
    for (const zero of ['0', '0.0', '-0', '0.000000001'])
      expect(decided({ [name]: toDecimal(zero) })).not.toHaveProperty(name)
    expect(check(aRow({ [name]: toDecimal('0') }))).toMatchObject([{ dropped: [] }])
    expect(check(aRow({ [name]: toDecimal('-5') }))).toMatchObject([
      { kind: 'accepted', dropped: [{ name, why: '-5 is negative' }] },
    ])
    expect(check(aRow({ [name]: { unreadable: 'NaN' } }))).toMatchObject([
      { kind: 'accepted', dropped: [{ name, why: 'not a number' }] },
    ])
    expect(check(aRow({ [name]: toDecimal('1e40') }))).toMatchObject([
      { kind: 'accepted', dropped: [{ name, why: expect.stringContaining('does not fit') }] },
    ])
  },
)

test('a change of exactly 0 is one, and so is one that rounds to it', () => {
  expect(decided({ change24h: toDecimal('0') })).toMatchObject({ change24h: '0' })
  expect(decided({ change24h: toDecimal('-0.001') })).toMatchObject({ change24h: '0' })
  expect(decided({ change24h: toDecimal('-100') })).toMatchObject({ change24h: '-100' })
})

test('a fall by more than everything is no change', () => {
  expect(check(aRow({ change24h: toDecimal('-100.01') }))).toMatchObject([
    { kind: 'accepted', dropped: [{ name: 'change24h', why: expect.stringContaining('-100.01') }] },
  ])
})

test.each([
  ['0', undefined, 0],
  ['7', 7, 0],
  ['1.0', 1, 0],
  ['1.5', undefined, 1],
  ['-1', undefined, 1],
  ['1e30', undefined, 1],
])('a rank of %s is read as %s, and %i is left out', (written, rank, dropped) => {
  const [row] = check(aRow({ rank: toDecimal(written) }))
  expect(row).toMatchObject({ kind: 'accepted', dropped: Array(dropped).fill({ name: 'rank' }) })
  expect(row?.kind === 'accepted' && row.price.rank).toBe(rank)
})

test('values with more decimals than the table keeps are rounded and counted', () => {
  const [row] = check(aRow({ price: toDecimal('0.123456785'), change24h: toDecimal('-0.95502') }))
  expect(row).toMatchObject({ price: { price: '0.12345679', change24h: '-0.96' }, roundedValues: 2 })
})

test('a flawed row keeps its market and its raw form, and the others go on', () => {
  const flawed: CoinPriceRow = { raw: { id: 'x' }, flaw: 'id is missing', market: 'x' }
  expect(check(flawed, { raw: 7, flaw: 'the row is missing' }, aRow())).toMatchObject([
    { raw: { id: 'x' }, kind: 'rejected', market: 'x', reason: 'id is missing' },
    { raw: 7, kind: 'rejected', market: undefined, reason: 'the row is missing' },
    { kind: 'accepted' },
  ])
})

test('the same price twice in an answer is one, and of two different ones neither is accepted', () => {
  expect(check(aRow({}, 1), aRow({ price: toDecimal('62000.50') }, 2))).toMatchObject([
    { raw: 1, kind: 'accepted' },
  ])
  expect(
    check(aRow({}, 1), aRow({ price: toDecimal('62000.6') }, 2), aRow({ market: 'other' }, 3)),
  ).toMatchObject([
    { raw: 1, kind: 'rejected', reason: 'the answer holds two prices of this market' },
    { raw: 2, kind: 'rejected' },
    { raw: 3, kind: 'accepted' },
  ])
})
