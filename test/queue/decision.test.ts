import { describe, expect, test } from 'vitest'
import { Aborted, Malformed, RateLimited, Refused, Unavailable, UnknownError } from '../../src/fault.ts'
import { hour, minute, plus, second, toInstant } from '../../src/market/instant.ts'
import { evaluate } from '../../src/queue/decision.ts'

/** What a verdict looks at in a job of the queue. */
const aJob = (parts: { repeatJobKey?: string; attemptsMade?: number; id?: string; opts?: object } = {}) =>
  ({ attemptsMade: 0, opts: { attempts: 3 }, ...parts }) as unknown as Parameters<typeof evaluate>[1]

const limited = new RateLimited('slow down', 5_000)
const outage = new Unavailable('the source answered with HTTP 503')

const midnight = toInstant(Date.UTC(2024, 2, 1, 0, 0, 5))

/** A tick of that pattern that was due at midnight, after so many failed tries. */
const aTick = (pattern: string, attemptsMade = 0) =>
  aJob({
    repeatJobKey: 'beacon.tick',
    id: `repeat:beacon.tick:${midnight}`,
    attemptsMade,
    opts: { attempts: 1_000, repeat: { pattern, count: 3 } },
  })

const [minutely, hourly, daily] = ['5 * * * * *', '5 0 * * * *', '5 0 0 * * *']

describe('a job that threw', () => {
  test('waits as long as it was told to', () => {
    expect(evaluate(limited, aJob(), false)).toEqual({ next: 'wait', willRetry: true, waitMs: 5_000 })
  })

  test('is tried again until its attempts are used up, and not at all where that cannot help', () => {
    expect(evaluate(new Malformed('half'), aJob({ attemptsMade: 2 }), false)).toEqual({
      next: 'retry',
      willRetry: false,
    })
    expect(evaluate(new Refused('no'), aJob(), false)).toEqual({ next: 'give-up', willRetry: false })
  })

  test('that no schedule brings again is tried as often as the job says, whatever the error is', () => {
    const tried = (attemptsMade: number) => aJob({ attemptsMade, opts: { attempts: 8 } })
    for (const error of [outage, new UnknownError('-9999'), new Malformed('half'), new TypeError('a bug')]) {
      expect(evaluate(error, tried(6), false)).toEqual({ next: 'retry', willRetry: true })
      expect(evaluate(error, tried(7), false)).toEqual({ next: 'retry', willRetry: false })
    }
  })

  test('goes back when the process is stopping', () => {
    expect(evaluate(new Aborted('stop'), aJob(), true)).toEqual({ next: 'give-back', willRetry: true })
  })
})

describe('a tick of the schedule', () => {
  test('waits for the end of a rate limit that comes before the next tick, which else takes its place', () => {
    const ban = new RateLimited('banned for two minutes', 2 * minute)
    const decisionOf = (pattern: string) => evaluate(ban, aTick(pattern), false, midnight).next
    expect([minutely, hourly, daily].map(decisionOf)).toEqual(['give-up', 'wait', 'wait'])
    expect(evaluate(ban, aTick(hourly), false, plus(midnight, hour - minute)).next).toBe('give-up')
  })

  test('is tried while its source is out of order, until the next takes its place', () => {
    const decisionOf = (pattern: string, failedTries: number, lateMs: number) =>
      evaluate(outage, aTick(pattern, failedTries), false, plus(midnight, lateMs)).next
    expect(decisionOf(minutely, 3, 20 * second)).toBe('retry')
    expect(decisionOf(minutely, 5, 50 * second)).toBe('give-up')
    expect(decisionOf(hourly, 40, 40 * minute)).toBe('retry')
    expect(decisionOf(hourly, 58, hour - 30 * second)).toBe('give-up')
    expect(decisionOf(daily, 200, 20 * hour)).toBe('retry')
  })

  test('is tried a few times where it is the answer, or we, that are wrong', () => {
    for (const error of [new Malformed('half'), new TypeError('a bug')]) {
      expect(evaluate(error, aTick(daily, 3), false, plus(midnight, minute)).next).toBe('retry')
      expect(evaluate(error, aTick(daily, 4), false, plus(midnight, minute)).next).toBe('give-up')
    }
  })
})
