import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareDecimals,
  type DecimalType,
  fitTo,
  isNegative,
  isZero,
  toDecimal,
} from '../../src/market/decimal.ts'

/** A decimal in whole numbers: digits / 10^places. */
type Exact = Readonly<{ digits: bigint; places: number }>

const anExact = fc.record({
  digits: fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
  places: fc.integer({ min: 0, max: 25 }),
})

/** Written as plain notation, by another way than the code's. */
function written({ digits, places }: Exact): string {
  const magnitude = (digits < 0n ? -digits : digits).toString().padStart(places + 1, '0')
  const whole = magnitude.slice(0, magnitude.length - places)
  const fraction = places === 0 ? '' : `.${magnitude.slice(-places)}`
  return `${digits < 0n ? '-' : ''}${whole}${fraction}`
}

function read(text: string): Exact {
  const [whole = '', fraction = ''] = text.split('.')
  return { digits: BigInt(whole + fraction), places: fraction.length }
}

/** Both as whole numbers of the same size. */
function aligned(a: Exact, b: Exact): [bigint, bigint] {
  const places = Math.max(a.places, b.places)
  return [a.digits * 10n ** BigInt(places - a.places), b.digits * 10n ** BigInt(places - b.places)]
}

const isEqual = (a: Exact, b: Exact): boolean => {
  const [left, right] = aligned(a, b)
  return left === right
}

const signOf = (value: bigint): number => (value === 0n ? 0 : value < 0n ? -1 : 1)

describe('reading', () => {
  test('plain notation stays as it came, trailing zeros included', () => {
    for (const text of ['0', '-0', '0.00000000', '8819.15000000', '-12.340', '27951704728.0']) {
      expect(toDecimal(text)).toBe(text)
    }
  })

  test.each([
    ['1.8E-4', '0.00018'],
    ['1e5', '100000'],
    ['-2.5e+3', '-2500'],
    ['12.50e1', '125.0'],
    ['0.00012e4', '1.2'],
    ['5e-9', '0.000000005'],
    ['007.10', '7.10'],
    ['000', '0'],
    ['0e5', '0'],
  ])('%s is %s', (text, plain) => {
    expect(toDecimal(text)).toBe(plain)
  })

  test('an exponent moves the point and changes no digit', () => {
    fc.assert(
      fc.property(anExact, fc.integer({ min: -60, max: 60 }), (exact, exponent) => {
        const value = read(toDecimal(`${written(exact)}e${exponent}`))
        const expected =
          exponent < 0
            ? { digits: exact.digits, places: exact.places - exponent }
            : { digits: exact.digits * 10n ** BigInt(exponent), places: exact.places }
        expect(isEqual(value, expected)).toBe(true)
      }),
    )
  })

  test.each([
    '',
    ' ',
    'NaN',
    'Infinity',
    '-Infinity',
    'null',
    '0x10',
    '1_000',
    '1,5',
    '+1',
    '.5',
    '5.',
    '--1',
    '1e',
    '1e1.5',
    '1e9999',
    '1 ',
    '1\n',
    '١٢',
    '1\u0000',
  ])('%j is not a decimal', (text) => {
    expect(() => toDecimal(text)).toThrow(RangeError)
  })

  test('nor is anything else made of the same characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0019.-+eE_x ') }), (text) => {
        fc.pre(!/^-?\d+(\.\d+)?(e[+-]?\d{1,3})?$/i.test(text))
        expect(() => toDecimal(text)).toThrow(RangeError)
      }),
    )
  })

  test('a long text is refused as quickly as a short one, and not quoted whole', () => {
    const text = `${'0'.repeat(100_000)}x`
    expect(() => toDecimal(text)).toThrow(/^not a decimal: 0{60}$/)
  }, 2_000)
})

describe('comparing', () => {
  test('orders as whole numbers do', () => {
    fc.assert(
      fc.property(anExact, anExact, (a, b) => {
        const [left, right] = aligned(a, b)
        const order = compareDecimals(toDecimal(written(a)), toDecimal(written(b)))
        expect(Math.sign(order) + 0).toBe(signOf(left - right))
      }),
    )
  })

  test('trailing zeros and the sign of zero make no difference', () => {
    for (const [a, b] of [
      ['1.5', '1.50'],
      ['-7', '-7.000'],
      ['0', '-0.00'],
    ] as const) {
      expect(compareDecimals(toDecimal(a), toDecimal(b)) === 0).toBe(true)
    }
  })

  test('zero is neither negative nor anything else, however it is written', () => {
    expect(isNegative(toDecimal('-0.000'))).toBe(false)
    expect(isZero(toDecimal('-0.000'))).toBe(true)
    expect(isNegative(toDecimal('-0.001'))).toBe(true)
    expect(isZero(toDecimal('0.001'))).toBe(false)
  })
})

describe('fitting into a column', () => {
  const price: DecimalType = { precision: 24, scale: 8 }

  /** What PostgreSQL does: half away from zero at the scale, then the whole digits must fit. */
  function oracle({ digits, places }: Exact, { precision, scale }: DecimalType) {
    const magnitude = digits < 0n ? -digits : digits
    const divisor = 10n ** BigInt(Math.max(0, places - scale))
    const isExact = magnitude % divisor === 0n
    const rounded = (magnitude + divisor / 2n) / divisor
    const kept = { digits: digits < 0n ? -rounded : rounded, places: Math.min(places, scale) }
    if (!isExact && rounded === 0n) return { kind: 'vanishes' }
    if (kept.digits * signed(kept.digits) >= 10n ** BigInt(precision - scale + kept.places)) {
      return { kind: 'overflows' }
    }
    return { kind: isExact ? 'exact' : 'rounded', value: kept }
  }
  const signed = (value: bigint) => (value < 0n ? -1n : 1n)

  const aType = fc
    .record({ whole: fc.integer({ min: 0, max: 20 }), scale: fc.integer({ min: 0, max: 12 }) })
    .map(({ whole, scale }): DecimalType => ({ precision: whole + scale, scale }))

  test('does what whole numbers say, and tells when digits are lost', () => {
    fc.assert(
      fc.property(anExact, aType, (exact, type) => {
        const fit = fitTo(toDecimal(written(exact)), type)
        const expected = oracle(exact, type)
        expect(fit.kind).toBe(expected.kind)
        if ('value' in fit && expected.value) expect(isEqual(read(fit.value), expected.value)).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  test('rounds half away from zero', () => {
    for (const [text, value] of [
      ['0.000000005', '0.00000001'],
      ['-0.000000005', '-0.00000001'],
      ['1.234567894999', '1.23456789'],
      ['1.234567895', '1.23456790'],
      ['9.999999995', '10.00000000'],
    ] as const) {
      expect(fitTo(toDecimal(text), price)).toEqual({ kind: 'rounded', value })
    }
  })

  test('further zeros are not digits: nothing is lost with them', () => {
    expect(fitTo(toDecimal('1.1000000000'), price)).toEqual({ kind: 'exact', value: '1.10000000' })
    expect(fitTo(toDecimal('5.000'), { precision: 3, scale: 0 })).toEqual({ kind: 'exact', value: '5' })
  })

  test('what would become zero vanishes; zero itself does not', () => {
    expect(fitTo(toDecimal('4.9e-9'), price)).toEqual({ kind: 'vanishes' })
    expect(fitTo(toDecimal('-1e-9'), price)).toEqual({ kind: 'vanishes' })
    expect(fitTo(toDecimal('0.0000000000'), price)).toEqual({ kind: 'exact', value: '0.00000000' })
  })

  test('sixteen whole digits fit a price, seventeen do not, nor those that rounding makes seventeen', () => {
    const most = '9'.repeat(16)
    expect(fitTo(toDecimal(`${most}.99999999`), price).kind).toBe('exact')
    expect(fitTo(toDecimal('1e16'), price)).toEqual({ kind: 'overflows' })
    expect(fitTo(toDecimal(`${most}.999999995`), price)).toEqual({ kind: 'overflows' })
    expect(fitTo(toDecimal(`-${most}.999999995`), price)).toEqual({ kind: 'overflows' })
  })
})
