import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addDecimals, type Decimal, toDecimal } from '../../src/market/decimal.ts'
import { percentChange, percentOfFraction } from '../../src/market/percent.ts'

test.each([
  ['0.0123', '1.23'],
  ['-0.00400048', '-0.400048'],
  ['1', '100'],
  ['0', '0'],
  ['12.5', '1250'],
])('the fraction %s is %s percent', (fraction, percent) => {
  expect(Number(percentOfFraction(toDecimal(fraction)))).toBe(Number(percent))
  expect(percentOfFraction(toDecimal(fraction))).toMatch(/^-?(0|[1-9]\d*)(\.\d+)?$/)
})

test.each([
  ['100', '101', '1.0000'],
  ['3', '2', '-33.3333'],
  ['3', '4', '33.3333'],
  ['0.00001', '0.00002', '100.0000'],
  ['7', '7.00', '0.0000'],
  ['1.00000', '1.0000005', '0.0001'],
  ['1.00000', '0.9999995', '-0.0001'],
])('from %s to %s is %s percent', (before, after, percent) => {
  expect(Number(percentChange(toDecimal(before), toDecimal(after)))).toBe(Number(percent))
})

test('from nothing there is no percentage', () => {
  expect(percentChange(toDecimal('0'), toDecimal('5'))).toBeUndefined()
})

const decimals = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat({ max: 20 }))
  .map(([digits, places]): Decimal => toDecimal(`${digits}e-${places}`))

test('a sum is exact, whatever the digits', () => {
  fc.assert(
    fc.property(decimals, decimals, (a, b) => {
      const inSmallest = (value: Decimal) => BigInt(toDecimal(`${value}e20`).split('.')[0] ?? '')
      expect(inSmallest(addDecimals(a, b))).toBe(inSmallest(a) + inSmallest(b))
      expect(addDecimals(a, b)).toBe(addDecimals(b, a))
    }),
  )
})
