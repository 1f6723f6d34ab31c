import { describe, expect, test } from 'vitest'
import {
  day,
  hour,
  minute,
  parseDate,
  plus,
  toInstant,
  toIso,
  toMinuteText,
} from '../../src/market/instant.ts'

const now = toInstant(Date.parse('2024-03-31T12:34:56.789Z'))

test('an instant is a whole, safe number of milliseconds', () => {
  expect(toInstant(0)).toBe(0)
  for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    expect(() => toInstant(value)).toThrow(RangeError)
  }
  expect(() => plus(now, 0.5)).toThrow(RangeError)
})

test('people read minutes, and seconds only where there are any', () => {
  expect(toMinuteText(toInstant(Date.parse('2024-03-01T12:00:00Z')))).toBe('2024-03-01 12:00')
  expect(toMinuteText(now)).toBe('2024-03-31 12:34:56')
  expect(toIso(now)).toBe('2024-03-31T12:34:56.789Z')
})

describe('reading a date', () => {
  test.each([
    ['2024-03-01', '2024-03-01T00:00:00.000Z'],
    ['2024-03-01Z', '2024-03-01T00:00:00.000Z'],
    ['2024-03-01T12:00', '2024-03-01T12:00:00.000Z'],
    ['2024-03-01T12:00Z', '2024-03-01T12:00:00.000Z'],
    ['2024-03-01 12:00', '2024-03-01T12:00:00.000Z'],
    ['2024-03-01T12:00:30Z', '2024-03-01T12:00:30.000Z'],
    ['2024-03-01T12:00:30.5Z', '2024-03-01T12:00:30.500Z'],
    ['2024-03-01T12:00:30.123+00:00', '2024-03-01T12:00:30.123Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['1970-01-01', '1970-01-01T00:00:00.000Z'],
  ])('%s is %s, in every zone', (text, iso) => {
    expect(parseDate(text, now)).toBe(Date.parse(iso))
  })

  test('what toIso wrote is read back', () => {
    expect(parseDate(toIso(now), plus(now, hour))).toBe(now)
  })

  test.each([
    ['now', 0],
    ['-90m', -90 * minute],
    ['-24h', -24 * hour],
    ['-30d', -30 * day],
    ['-2w', -14 * day],
    ['-0d', 0],
  ])('%s counts back from now', (text, ms) => {
    expect(parseDate(text, now)).toBe(now + ms)
  })

  test.each([
    '2024-02-30',
    '2023-02-29',
    '2024-04-31',
    '2024-13-01',
    '2024-00-10',
    '2024-01-00',
    '2024-03-01T24:00',
    '2024-03-01T12:60',
    '2024-03-01T12:00:60',
  ])('%s does not exist', (text) => {
    expect(parseDate(text, now)).toBeUndefined()
  })

  test.each([
    '',
    'yesterday',
    '2024',
    '2024-03',
    '2024-3-1',
    '01.03.2024',
    '03/01/2024',
    '2024-03-01T12',
    '2024-03-01T12:00+02:00',
    '2024-03-01T12:00:30.1234Z',
    '1709251200000',
    '30d',
    '+30d',
    '-30',
    '-30y',
    '-1.5d',
    '-d',
    ' 2024-03-01',
    '2024-03-01\n',
  ])('%j is not a date', (text) => {
    expect(parseDate(text, now)).toBeUndefined()
  })
})
