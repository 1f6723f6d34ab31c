import fc from 'fast-check'
import { expect, test } from 'vitest'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { durationText, parseDuration } from '../../src/settings/duration.ts'

test.each([
  ['250 ms', 250],
  ['2 s', 2 * second],
  ['2s', 2 * second],
  ['1 second', second],
  ['90 seconds', 90 * second],
  ['5 min', 5 * minute],
  ['15 minutes', 15 * minute],
  ['1.5 h', 90 * minute],
  ['36 hours', 36 * hour],
  ['1 day', day],
  [' 90 days ', 90 * day],
])('%j is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each([
  '',
  '5',
  'days',
  '-5 days',
  '5 weeks',
  '5 Days',
  '1e3 s',
  '5 d ays',
  '5 constructor',
  '9e99 days',
])('%j is not a duration', (text) => {
  expect(parseDuration(text)).toBeUndefined()
})

test('one too long to count in milliseconds is not a duration', () => {
  expect(parseDuration(`${'9'.repeat(20)} days`)).toBeUndefined()
})

test.each([
  [day, '1 day'],
  [2 * day, '2 days'],
  [36 * hour, '36 hours'],
  [90 * minute, '90 minutes'],
  [90 * second, '90 s'],
  [1_500, '1500 ms'],
  [0, '0 s'],
])('%d ms is written %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

test('what was written is read back', () => {
  fc.assert(
    fc.property(fc.nat({ max: 400 * day }), (ms) => {
      expect(parseDuration(durationText(ms))).toBe(ms)
    }),
  )
})
