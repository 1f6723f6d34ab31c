import { expect, test } from 'vitest'
import type { CoinPrice, CoinPriceRow } from '../../src/market/coin-price.ts'
import { checkPrices } from '../../src/market/coin-price-check.ts'
import { toDecimal } from '../../src/market/decimal.ts'
import { day, minute, plus, toInstant } from '../../src/market/instant.ts'

const now = toInstant(Date.parse('2024-03-01T12:00:00Z'))

const aPrice = (over: Partial<CoinPrice> = {}): CoinPriceRow & { price: CoinPrice } => ({
  raw: 'as it came',
  price: { market: 'bitcoin', timestamp: now, price: toDecimal('62000.5'), ...over },
})

const reasonOf = (row: CoinPriceRow) => checkPrices([row], now).rejected.map(({ reason }) => reason)

test('a price that makes sense stays digit for digit, and what is unknown stays absent', () => {
  const row = aPrice({ marketCap: toDecimal('1200000000000.10'), rank: 1 })
  expect(checkPrices([row], now)).toEqual({ prices: [row.price], rejected: [], roundedValues: 0 })
})

test('a negative price is kept aside, a negative change is not', () => {
  expect(reasonOf(aPrice({ price: toDecimal('-1') }))).toEqual(['price -1 is negative'])
  expect(reasonOf(aPrice({ change24h: toDecimal('-0.95') }))).toEqual([])
})

test('a date some minutes ahead is a clock that runs fast; more is a lie', () => {
  expect(reasonOf(aPrice({ timestamp: plus(now, 5 * minute) }))).toEqual([])
  expect(reasonOf(aPrice({ timestamp: plus(now, 5 * minute + 1) }))).toEqual([
    'dated in the future, at 2024-03-01T12:05:00.001Z',
  ])
})

test('a price a week old is the last of a coin that is not traded any more', () => {
  expect(reasonOf(aPrice({ timestamp: plus(now, -7 * day) }))).toEqual([])
  expect(reasonOf(aPrice({ timestamp: plus(now, -8 * day) }))).toEqual([
    'not a current price, it is of 2024-02-22T12:00:00.000Z',
  ])
})

test('a price that would become zero is kept aside; another number may become zero', () => {
  expect(reasonOf(aPrice({ price: toDecimal('1e-9') }))).toEqual([
    'price 0.000000001 would become 0 at 8 decimals',
  ])
  const { prices, roundedValues } = checkPrices([aPrice({ change24h: toDecimal('0.001') })], now)
  expect(prices[0]?.change24h).toBe('0')
  expect(roundedValues).toBe(1)
})

test('values with more decimals than the table keeps are rounded and counted', () => {
  const row = aPrice({ price: toDecimal('0.123456785'), change24h: toDecimal('-0.95502') })
  const { prices, roundedValues } = checkPrices([row], now)
  expect(prices[0]).toMatchObject({ price: '0.12345679', change24h: '-0.96' })
  expect(roundedValues).toBe(2)
})

test('a number that does not fit its column is kept aside with its name', () => {
  expect(reasonOf(aPrice({ price: toDecimal('1e16') }))).toEqual([
    'price 10000000000000000 does not fit numeric(24,8)',
  ])
  expect(reasonOf(aPrice({ change24h: toDecimal('1e8') }))).toEqual([
    'change24h 100000000 does not fit numeric(10,2)',
  ])
})

test('a flawed row keeps its market and its raw form, and the others go on', () => {
  const flawed: CoinPriceRow = { raw: { id: 'x' }, flaw: 'current_price is not a number', market: 'x' }
  expect(checkPrices([flawed, { raw: 7, flaw: 'the row is missing' }, aPrice()], now)).toEqual({
    prices: [aPrice().price],
    rejected: [
      { raw: { id: 'x' }, reason: 'current_price is not a number', market: 'x' },
      { raw: 7, reason: 'the row is missing' },
    ],
    roundedValues: 0,
  })
})
