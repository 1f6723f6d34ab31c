import { expect, test } from 'vitest'
import { toDecimal } from '../../src/market/decimal.ts'
import { agree, confirmedOf, nearestTo } from '../../src/market/price-agreement.ts'

const decimal = toDecimal

test.each([
  ['100', '100.00', true],
  ['100', '999.99999999', true],
  ['100', '1000', false],
  ['100', '10.00000001', true],
  ['100', '10', false],
  ['100', '0.5', false],
  ['0.00000001', '0.00000009', true],
  ['0.00000001', '0.0000001', false],
  ['100', '0', false],
])('%s and %s agree: %s', (a, b, expected) => {
  expect(agree(decimal(a), decimal(b))).toBe(expected)
  expect(agree(decimal(b), decimal(a))).toBe(expected)
})

const from = (source: string, price: string) => ({ source, price: { price: decimal(price) } })
const confirmed = (last: string | undefined, ...answers: ReturnType<typeof from>[]) =>
  confirmedOf(answers, last === undefined ? undefined : decimal(last)).map(({ price }) => price.price)

test('an answer is confirmed by the stored price, or else by another source, never by its own source', () => {
  expect(confirmed('8', from('coingecko', '7'))).toEqual(['7'])
  expect(confirmed('80', from('coingecko', '7'))).toEqual([])
  expect(confirmed('80', from('coingecko', '7'), from('binance', '6.5'))).toEqual(['7', '6.5'])
  expect(confirmed('80', from('coingecko', '7'), from('coingecko', '6.5'))).toEqual([])
  expect(confirmed(undefined, from('coingecko', '7'))).toEqual([])
  expect(confirmed(undefined, from('coingecko', '7'), from('binance', '81'), from('okx', '80'))).toEqual([
    '81',
    '80',
  ])
})

test('between the two, the stored price counts for more', () => {
  expect(confirmed('100', from('coingecko', '1000'), from('binance', '102'))).toEqual(['102'])
})

test('the nearest price is the one of the smallest ratio', () => {
  expect(nearestTo(decimal('1'), [decimal('10'), decimal('0.05'), decimal('100')])).toBe('10')
  expect(nearestTo(decimal('1'), [])).toBeUndefined()
})
