import { describe, expect, test } from 'vitest'
import { Aborted, Malformed, RateLimited, Refused } from '../../src/fault.ts'
import { judge } from '../../src/queue/verdict.ts'

/** What a verdict looks at in a job of the queue. */
const aJob = (parts: { repeatJobKey?: string; attemptsMade?: number } = {}) =>
  ({ attemptsMade: 0, opts: { attempts: 3 }, ...parts }) as unknown as Parameters<typeof judge>[1]

const limited = new RateLimited('slow down', 5_000)

describe('a job that threw', () => {
  test('waits as long as it was told to', () => {
    expect(judge(limited, aJob(), false)).toEqual({ next: 'wait', willRetry: true, waitMs: 5_000 })
  })

  test('is not kept for later when it is a tick of the schedule: after a long ban they would all run at once', () => {
    const tick = aJob({ repeatJobKey: 'beacon.ingest-candles_binance_1m' })
    expect(judge(limited, tick, false)).toEqual({ next: 'give-up', willRetry: false })
    expect(judge(new Malformed('half an answer'), tick, false)).toEqual({ next: 'retry', willRetry: true })
  })

  test('is tried again until its attempts are used up, and not at all where that cannot help', () => {
    expect(judge(new Malformed('half'), aJob({ attemptsMade: 2 }), false)).toEqual({
      next: 'retry',
      willRetry: false,
    })
    expect(judge(new Refused('no'), aJob(), false)).toEqual({ next: 'give-up', willRetry: false })
  })

  test('goes back when the process is stopping', () => {
    expect(judge(new Aborted('stop'), aJob(), true)).toEqual({ next: 'give-back', willRetry: true })
  })
})
