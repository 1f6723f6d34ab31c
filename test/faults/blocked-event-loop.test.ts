import { describe, expect, test } from 'vitest'
import { enqueue } from '../../src/queue/enqueue.ts'
import { aJob, eventually, TestFleet } from '../queue/fleet.ts'
import { startProcess } from '../queue/process.ts'
import { engines } from '../support/database.ts'

describe.each(engines)('a process whose event loop is blocked for longer than its lock, on %s', (kind) => {
  const fleet = new TestFleet(kind)

  test('has its job done by another, and the queue counts it done once', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const blocked = startProcess({ ...fleet.urls, queue, job: 'block' })
    try {
      await blocked.says('working')
      const job = aJob({ queueOf: () => queue })
      const [id = ''] = await enqueue(engine, job, [{ text: 'hello' }])
      await blocked.says('running hello')
      let runs = 0
      const counted = aJob({
        queueOf: () => queue,
        run: async () => {
          runs += 1
          return { runs }
        },
      })
      const lock = { lockDurationMs: 1_000, stalledIntervalMs: 500 }
      await fleet.work(engine, { queue, jobs: [counted], ...lock })
      await eventually(() => engine.queue(queue).getJobState(id)).toBe('completed')
      expect(runs).toBe(1)
      // The late result of the blocked process changes nothing.
      await blocked.says('unblocked')
      await eventually(() => engine.queue(queue).getJobCounts('active', 'waiting', 'failed')).toEqual({
        active: 0,
        waiting: 0,
        failed: 0,
      })
      expect((await engine.queue(queue).getJob(id))?.returnvalue).toEqual({ runs: 1 })
    } finally {
      blocked.child.kill('SIGKILL')
      await blocked.ended
    }
  })
})
