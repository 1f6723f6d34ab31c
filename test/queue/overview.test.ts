import { describe, expect, test } from 'vitest'
import { Refused } from '../../src/fault.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import { pauseQueue, queueOverview, resumeQueue } from '../../src/queue/overview.ts'
import { engines } from '../support/database.ts'
import { aJob, eventually, promised, TestFleet } from './fleet.ts'

describe.each(engines)('the overview of queues on %s', (kind) => {
  const fleet = new TestFleet(kind)

  const nothing = {
    waiting: 0,
    prioritized: 0,
    active: 0,
    delayed: 0,
    failed: 0,
    completed: 0,
    paused: false,
  }

  test('counts what stands in each, in the order they were asked for', async () => {
    const engine = await fleet.open()
    const [queue, other] = [fleet.freshQueue(), fleet.freshQueue()]
    const job = aJob({ queueOf: () => queue })
    const hello = { text: 'hello' }
    await enqueue(engine, job, [hello, hello])
    await enqueue(engine, job, [hello], { priority: 10 })
    await enqueue(engine, job, [hello], { delayMs: 60_000 })
    expect(await queueOverview(engine, [other, queue])).toEqual([
      { ...nothing, queue: other },
      { ...nothing, queue, waiting: 2, prioritized: 1, delayed: 1 },
    ])
  })

  test('counts what runs, what was done and what failed', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const goOn = promised()
    const job = aJob({
      queueOf: () => queue,
      run: async (_, { text }) => {
        if (text === 'fail') throw new Refused('as asked')
        if (text === 'stay') await goOn.promise
        return {}
      },
    })
    await enqueue(engine, job, [{ text: 'fail' }, { text: 'hello' }, { text: 'stay' }])
    await fleet.work(engine, { queue, jobs: [job], concurrency: 3 })
    await eventually(async () => (await queueOverview(engine, [queue]))[0]).toEqual({
      ...nothing,
      queue,
      active: 1,
      failed: 1,
      completed: 1,
    })
    goOn.keep()
  })

  test('counts the same while a queue is paused, and nothing of it runs until it is resumed', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = aJob({ queueOf: () => queue })
    await pauseQueue(engine, queue)
    await enqueue(engine, job, [{ text: 'hello' }, { text: 'again' }])
    await enqueue(engine, job, [{ text: 'later' }], { priority: 10 })
    await fleet.work(engine, { queue, jobs: [job] })
    expect(await queueOverview(engine, [queue])).toEqual([
      { ...nothing, queue, waiting: 2, prioritized: 1, paused: true },
    ])
    await resumeQueue(engine, queue)
    await eventually(async () => (await queueOverview(engine, [queue]))[0]).toEqual({
      ...nothing,
      queue,
      completed: 3,
    })
  })
})
