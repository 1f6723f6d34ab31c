import { expect, test } from 'vitest'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { backoffStrategy, delayAfter, retriesUntilNext, triesWithin } from '../../src/queue/retries.ts'

test('the delays grow to a minute, and after an hour to five', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 60].map(delayAfter)).toEqual(
    [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * second),
  )
  expect([61, 62, 300].map(delayAfter)).toEqual([5 * minute, 5 * minute, 5 * minute])
  expect(delayAfter(1_000_000)).toBe(5 * minute)
})

test('chance only ever makes them shorter, by a quarter at most', () => {
  for (const failedTries of [1, 5, 30, 100]) {
    const delay = backoffStrategy(failedTries)
    expect(delay).toBeLessThanOrEqual(delayAfter(failedTries))
    expect(delay).toBeGreaterThanOrEqual((delayAfter(failedTries) * 3) / 4 - 1)
  }
})

test.each([
  ['1 * * * * *', minute],
  ['1 */5 * * * *', 5 * minute],
  ['1 0 * * * *', hour],
  ['1 0 0 * * *', day],
  ['5 0 1 1 *', day],
])('the tries of %s take up its period, or a day, and no more', (pattern, periodMs) => {
  const { attempts } = retriesUntilNext(pattern)
  let spentMs = 0
  for (let tries = 1; tries < attempts; tries += 1) spentMs += delayAfter(tries)
  expect(spentMs).toBeLessThanOrEqual(periodMs)
  expect(spentMs).toBeGreaterThan(periodMs / 2)
})

test('work that is due every second is tried a few times all the same', () => {
  expect(triesWithin(second)).toBe(5)
})
