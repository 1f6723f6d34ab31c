import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { everyProcess } from '../../src/runtime/every-process.ts'
import { recordingLog } from '../queue/fleet.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2024, 2, 1) })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

test('what is done at every time of a pattern tells of a time that passed in our log, and writes nothing beside it', async () => {
  const written = vi.spyOn(process.stderr, 'write')
  const console = vi.spyOn(globalThis.console, 'warn')
  const log = recordingLog()
  let runs = 0
  const task = everyProcess(
    '*/5 * * * * *',
    async () => {
      runs += 1
    },
    log,
  )
  await vi.advanceTimersByTimeAsync(10_500)
  expect(runs).toBe(2)
  // The process was too busy to look at its timers.
  vi.setSystemTime(Date.UTC(2024, 2, 1, 0, 0, 22))
  await vi.advanceTimersByTimeAsync(10_000)
  await task.destroy()
  expect(runs).toBeGreaterThan(2)
  expect(log.events).toContainEqual({
    level: 'debug',
    event: 'process.timer',
    fields: { pattern: '*/5 * * * * *', reason: expect.stringContaining('missed execution') },
  })
  expect(written).not.toHaveBeenCalled()
  expect(console).not.toHaveBeenCalled()
})
