import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { InvalidInput, Refused } from '../../src/fault.ts'
import type { Engine } from '../../src/queue/engine.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import { defineJob } from '../../src/queue/job.ts'
import { jobIdOf } from '../../src/queue/job-id.ts'
import { queueOverview } from '../../src/queue/overview.ts'
import { engines } from '../support/database.ts'
import { names } from '../support/names.ts'
import { aJob, eventually, promised, TestFleet } from './fleet.ts'

describe.each(engines)('work put into a queue on %s', (kind) => {
  const fleet = new TestFleet(kind)

  async function count(engine: Engine, queue: string): Promise<number> {
    const [counts] = await queueOverview(engine, [queue])
    if (!counts) throw new Error('a queue has counts')
    const { waiting, prioritized, active, delayed, completed, failed } = counts
    return waiting + prioritized + active + delayed + completed + failed
  }

  test('stands there once for each payload, in their order', async () => {
    const engine = await fleet.open()
    const queues = [fleet.freshQueue(), fleet.freshQueue()]
    const job = aJob({ queueOf: ({ text }) => queues[Number(text) % 2] ?? '' })
    const ids = await enqueue(
      engine,
      job,
      ['0', '1', '2', '3', '4'].map((text) => ({ text })),
    )
    for (const [index, id] of ids.entries()) {
      const queued = await engine.queue(queues[index % 2] ?? '').getJob(id)
      expect(queued?.data).toEqual({ text: String(index) })
    }
  })

  test('is tried five times with growing pauses and kept for a while, unless it says otherwise', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const [id = ''] = await enqueue(engine, aJob({ queueOf: () => queue, priority: 10 }), [{ text: 'hello' }])
    const queued = await engine.queue(queue).getJob(id)
    expect(queued?.opts).toMatchObject({
      attempts: 5,
      priority: 10,
      backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 },
      removeOnComplete: { age: 86_400 },
      removeOnFail: { age: 604_800 },
    })
    const [later = ''] = await enqueue(
      engine,
      aJob({ queueOf: () => queue, attempts: 2 }),
      [{ text: 'hello' }],
      {
        priority: 3,
        delayMs: 60_000,
      },
    )
    expect((await engine.queue(queue).getJob(later))?.opts).toMatchObject({
      attempts: 2,
      priority: 3,
      delay: 60_000,
    })
  })

  test('is done in the order of its priority', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const heard: string[] = []
    const job = (priority: number) =>
      aJob({ queueOf: () => queue, priority, run: async (_, { text }) => ({ heard: heard.push(text) }) })
    await enqueue(engine, job(10), [{ text: 'backfill' }])
    await enqueue(engine, job(5), [{ text: 'repair' }])
    await enqueue(engine, job(0), [{ text: 'live' }])
    await fleet.work(engine, { queue, jobs: [job(0)] })
    await eventually(() => heard).toEqual(['live', 'repair', 'backfill'])
  })

  const named = (queue: string, parts = {}) =>
    aJob({ queueOf: () => queue, idOf: ({ text }) => `say_${text}`, ...parts })

  test('is done whatever the names in its id and its payload are made of', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const heard: string[] = []
    const job = named(queue, {
      idOf: ({ text }: { text: string }) => jobIdOf('say', text),
      run: async (_: unknown, { text }: { text: string }) => ({ heard: heard.push(text) }),
    })
    const payloads = names.map((text) => ({ text }))
    const ids = await enqueue(engine, job, payloads)
    expect(await enqueue(engine, job, payloads)).toEqual(ids)
    for (const [index, id] of ids.entries())
      expect((await engine.queue(queue).getJob(id))?.data).toEqual(payloads[index])
    await fleet.work(engine, { queue, jobs: [job] })
    await eventually(() => heard.length).toBe(names.length)
    expect(heard.toSorted()).toEqual(names.toSorted())
  })

  test('stands there once however often and from wherever it is added', async () => {
    const opened = await Promise.all([fleet.open(), fleet.open()])
    const queue = fleet.freshQueue()
    const calls = opened.flatMap((engine) =>
      Array.from({ length: 25 }, () =>
        enqueue(engine, named(queue), [{ text: 'hello' }, { text: 'goodbye' }]),
      ),
    )
    for (const ids of await Promise.all(calls)) expect(ids).toEqual(['say_hello', 'say_goodbye'])
    for (const engine of opened) expect(await count(engine, queue)).toBe(2)
  })

  test('is left alone while it runs', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const running = promised()
    const goOn = promised()
    let runs = 0
    const job = named(queue, {
      run: async () => {
        runs += 1
        running.keep()
        await goOn.promise
        return {}
      },
    })
    await enqueue(engine, job, [{ text: 'hello' }])
    await fleet.work(engine, { queue, jobs: [job], concurrency: 2 })
    await running.promise
    expect(await enqueue(engine, job, [{ text: 'hello' }])).toEqual(['say_hello'])
    goOn.keep()
    await eventually(() => engine.queue(queue).getJobState('say_hello')).toBe('completed')
    expect([runs, await count(engine, queue)]).toEqual([1, 1])
  })

  test('is done again once it is finished, well or not, and once however many ask at a time', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    let runs = 0
    const job = named(queue, {
      run: async () => {
        runs += 1
        if (runs === 2) throw new Refused('not today')
        return { runs }
      },
    })
    await fleet.work(engine, { queue, jobs: [job] })
    const runsTo = (state: string, expected: number) =>
      eventually(async () => [await engine.queue(queue).getJobState('say_hello'), runs]).toEqual([
        state,
        expected,
      ])
    await enqueue(engine, job, [{ text: 'hello' }])
    await runsTo('completed', 1)
    await enqueue(engine, job, [{ text: 'hello' }])
    await runsTo('failed', 2)
    await enqueue(engine, job, [{ text: 'hello' }])
    await runsTo('completed', 3)
    await engine.queue(queue).pause()
    await Promise.all(Array.from({ length: 20 }, () => enqueue(engine, job, [{ text: 'hello' }])))
    expect(await count(engine, queue)).toBe(1)
    await engine.queue(queue).resume()
    await runsTo('completed', 4)
  })

  test.each(['1700000000000', 'from:to', 'two words', ''])('cannot have the id "%s"', async (id) => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = named(queue, { idOf: () => id })
    await expect(enqueue(engine, job, [{ text: 'hello' }])).rejects.toThrow(InvalidInput)
  })

  test('cannot go into a queue with a colon in its name', async () => {
    const engine = await fleet.open()
    const job = aJob({ queueOf: () => 'ccxt:kraken' })
    await expect(enqueue(engine, job, [{ text: 'hello' }])).rejects.toThrow(InvalidInput)
  })

  test('is refused whole when one payload is of another shape', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = defineJob<object>({
      ...aJob(),
      payload: z.strictObject({ text: z.string() }),
      queueOf: () => queue,
      run: async () => ({}),
    })
    const hostile = [{ text: 'hello' }, { text: 1, more: true }]
    await expect(enqueue(engine, job, hostile)).rejects.toThrow(/the payload of say cannot be used/)
    expect(await count(engine, queue)).toBe(0)
  })

  test.each(['nul \u0000', 'half \ud83d'])('is refused with text that cannot be stored: %j', async (text) => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = aJob({ queueOf: () => queue })
    await expect(enqueue(engine, job, [{ text }])).rejects.toThrow(InvalidInput)
  })

  test('takes thousands at a time', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const texts = Array.from({ length: 2_500 }, (_, index) => String(index))
    const ids = await enqueue(
      engine,
      aJob({ queueOf: () => queue }),
      texts.map((text) => ({ text })),
    )
    expect(new Set(ids).size).toBe(2_500)
    expect((await engine.queue(queue).getJob(ids[2_499] ?? ''))?.data).toEqual({ text: '2499' })
  })
})
