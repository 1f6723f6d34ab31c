import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { hour } from '../../src/market/instant.ts'
import { everyProcess } from '../../src/runtime/every-process.ts'
import { promised, recordingLog } from '../queue/fleet.ts'

const start = Date.UTC(2024, 2, 1)

beforeEach(() => {
  vi.useFakeTimers({ now: start })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

test('a run that takes too long leaves out the next, which is in our log, and nothing is written beside it', async () => {
  const written = vi.spyOn(process.stderr, 'write')
  const console = vi.spyOn(globalThis.console, 'warn')
  const log = recordingLog()
  const { promise, keep } = promised()
  let runs = 0
  const task = everyProcess(
    '*/5 * * * * *',
    async () => {
      runs += 1
      await promise
    },
    log,
  )
  await vi.advanceTimersByTimeAsync(10_500)
  expect(runs).toBe(1)
  keep()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(runs).toBe(2)
  await task.destroy()
  expect(log.events).toContainEqual({
    level: 'debug',
    event: 'process.timer',
    fields: { pattern: '*/5 * * * * *', reason: expect.stringContaining('still running') },
  })
  expect(written).not.toHaveBeenCalled()
  expect(console).not.toHaveBeenCalled()
})

test.each([-hour, -23 * hour, hour])('a clock that is set by %i ms holds nothing up', async (byMs) => {
  let runs = 0
  const work = async () => {
    runs += 1
  }
  const task = everyProcess('*/5 * * * * *', work, recordingLog())
  await vi.advanceTimersByTimeAsync(5_500)
  expect(runs).toBe(1)
  vi.setSystemTime(start + 5_500 + byMs)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(runs).toBe(3)
  await task.destroy()
})

test('a run under way when the clock is set is not joined by another', async () => {
  const { promise, keep } = promised()
  let runs = 0
  const work = async () => {
    runs += 1
    await promise
  }
  const task = everyProcess('*/5 * * * * *', work, recordingLog())
  await vi.advanceTimersByTimeAsync(5_500)
  vi.setSystemTime(start - hour)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(runs).toBe(1)
  keep()
  await task.destroy()
})
