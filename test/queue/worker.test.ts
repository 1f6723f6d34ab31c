import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Aborted, PartlyFailed, RateLimited, Refused, Unavailable } from '../../src/fault.ts'
import { hour } from '../../src/market/instant.ts'
import type { Engine } from '../../src/queue/engine.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import type { Job } from '../../src/queue/job.ts'
import type { RunEnd, RunStart } from '../../src/queue/worker.ts'
import { engines } from '../support/database.ts'
import { aborted, aJob, eventually, promised, TestFleet } from './fleet.ts'

describe.each(engines)('a worker on %s', (kind) => {
  const fleet = new TestFleet(kind)

  /** Runs one job until it stands in the given state, and returns how it stands there. */
  async function runUntil(state: string, parts: Partial<Job<{ text: string }>>, options = {}) {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = aJob({ queueOf: () => queue, ...parts })
    const [id = ''] = await enqueue(engine, job, [{ text: 'hello' }])
    const workers = await fleet.work(engine, { queue, jobs: [job], ...options })
    await eventually(() => stateOf(engine, queue, id)).toBe(state)
    return { engine, queue, id, workers, stored: await stored(engine, queue, id) }
  }

  const stateOf = (engine: Engine, queue: string, id: string) => engine.queue(queue).getJobState(id)

  async function stored(engine: Engine, queue: string, id: string) {
    const found = await engine.queue(queue).getJob(id)
    if (!found) throw new Error(`${id} is gone`)
    return found
  }

  test('hands the job its payload and keeps what it returns', async () => {
    const { stored } = await runUntil('completed', { run: async (_, { text }) => ({ text, words: 1 }) })
    expect(stored.returnvalue).toEqual({ text: 'hello', words: 1 })
    expect(fleet.reported('job.done')).toMatchObject([{ job: 'say', attempt: 1, words: 1 }])
  })

  test('tells of a run that had nothing to do only to who looks closely', async () => {
    await runUntil('completed', { run: async () => ({ received: 0, made: [] }) })
    await eventually(() => fleet.log.events.find(({ event }) => event === 'job.done')?.level).toBe('debug')
  })

  test('keeps an outcome with what a store cannot hold', async () => {
    const { stored } = await runUntil('completed', {
      run: async () => ({ nul: 'a\u0000b', half: 'c\ud83d', big: 12n, list: [{ deep: 'd\u0000' }] }),
    })
    expect(stored.returnvalue).toEqual({ nul: 'a\\0b', half: 'c\ufffd', big: '12', list: [{ deep: 'd\\0' }] })
  })

  test('keeps the reason of an error with what a store cannot hold, and runs it once', async () => {
    const { stored } = await runUntil('failed', {
      run: async () => {
        throw new Refused('the body was \u0000\ud83d and more')
      },
    })
    expect(stored.failedReason).toBe('the body was \\0\ufffd and more')
    expect(stored.attemptsMade).toBe(1)
    expect(stored.stalledCounter).toBe(0)
  })

  test('keeps every line of a report in order, though the job waits for none', async () => {
    const { engine, queue, id } = await runUntil('completed', {
      run: async (_, __, report) => {
        for (let line = 1; line <= 6; line += 1) void report.log(`line ${line}\u0000`)
        void report.progress(1, 2)
        return {}
      },
    })
    const { logs } = await engine.queue(queue).getJobLogs(id)
    const lines = logs.flatMap((row) => row.split('\n'))
    expect(lines.map((line) => line.slice('12:34:56 '.length))).toEqual([
      ...[1, 2, 3, 4, 5, 6].map((line) => `line ${line}\\0`),
      expect.stringMatching(/^done in \d+ ms/),
    ])
    expect((await stored(engine, queue, id)).progress).toEqual({ done: 1, total: 2 })
  })

  test('tries again after what can pass', async () => {
    let runs = 0
    const { stored } = await runUntil('completed', {
      run: async () => {
        runs += 1
        if (runs === 1) throw new Unavailable('the source did not answer')
        return { runs }
      },
    })
    expect(stored.attemptsMade).toBe(2)
    expect(fleet.reported('job.failed')).toMatchObject([
      { attempt: 1, willRetry: true, error: 'Unavailable' },
    ])
    expect(fleet.reported('job.done')).toMatchObject([{ attempt: 2, runs: 2 }])
  })

  test('tries what an outage has put off as soon as a run of the queue succeeds again', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    let isDown = true
    const job = aJob({
      queueOf: () => queue,
      run: async () => {
        if (isDown) throw new Unavailable('the source answered with HTTP 503')
        return { said: 1 }
      },
    })
    await fleet.work(engine, { queue, jobs: [job] })
    const putOff = await engine
      .queue(queue)
      .add(job.name, { text: 'midnight' }, { attempts: 3, backoff: { type: 'fixed', delay: hour } })
    await eventually(() => engine.queue(queue).getJobState(putOff.id ?? '')).toBe('delayed')
    isDown = false
    await enqueue(engine, job, [{ text: 'a minute later' }])
    await eventually(() => engine.queue(queue).getJobState(putOff.id ?? '')).toBe('completed')
    expect(fleet.reported('source.answers-again')).toEqual([{ queue, jobs: 1 }])
  })

  test('stops trying after the last attempt', async () => {
    const { stored } = await runUntil('failed', {
      attempts: 2,
      run: async () => {
        throw new Unavailable('the source did not answer')
      },
    })
    expect(stored.attemptsMade).toBe(2)
    expect(fleet.reported('job.failed').map(({ willRetry }) => willRetry)).toEqual([true, false])
  })

  test('tries a bug again like any other failure, and tells where it is', async () => {
    await runUntil('failed', {
      attempts: 1,
      run: async () => {
        throw new TypeError('undefined is not a candle')
      },
    })
    const [failed] = fleet.reported('job.failed')
    expect(failed).toMatchObject({ error: 'TypeError', willRetry: false })
    expect(failed?.stack).toContain('worker.test.ts')
  })

  test('gives up at once what trying again cannot help', async () => {
    const { stored } = await runUntil('failed', {
      run: async () => {
        throw new Refused('the source says no')
      },
    })
    expect(stored.attemptsMade).toBe(1)
    expect(stored.failedReason).toBe('the source says no')
  })

  test.each([0, 10])(
    'waits as long as it is told without using up an attempt (priority %i)',
    async (priority) => {
      let runs = 0
      const startedAt: number[] = []
      const { stored } = await runUntil('completed', {
        priority,
        attempts: 2,
        run: async ({ clock }) => {
          startedAt.push(clock.now())
          runs += 1
          if (runs <= 3) throw new RateLimited('the source asks for a pause', 200)
          return {}
        },
      })
      expect(stored.attemptsMade).toBe(1)
      expect(runs).toBe(4)
      const pauses = startedAt.slice(1).map((at, index) => at - (startedAt[index] ?? 0))
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(199)
    },
  )

  test('records each run and hands the job its record', async () => {
    const started: RunStart[] = []
    const finished: [string, RunEnd][] = []
    let seen: string[] = []
    const { queue, id } = await runUntil(
      'completed',
      {
        run: async ({ runId }) => {
          seen = [...seen, runId]
          if (seen.length === 1) throw new Unavailable('not now \u0000')
          return { rows: 3n }
        },
      },
      {
        onRun: {
          started: async (run: RunStart) => `run ${started.push(run)}`,
          finished: async (runId: string, end: RunEnd) => {
            finished.push([runId, end])
          },
        },
      },
    )
    expect(started).toEqual(
      [1, 2].map((attempt) => ({ jobId: id, job: 'say', queue, payload: { text: 'hello' }, attempt })),
    )
    expect(seen).toEqual(['run 1', 'run 2'])
    expect(finished).toMatchObject([
      ['run 1', { fault: { name: 'Unavailable', message: 'not now \\0' }, willRetry: true }],
      ['run 2', { outcome: { rows: '3' }, willRetry: false }],
    ])
  })

  test('retries what was done in part where that may help, and then is done with what failed named', async () => {
    const finished: RunEnd[] = []
    const outcome = { markets: 2, failures: [{ coinId: 'pepe', error: 'no' }] }
    let runs = 0
    const { stored } = await runUntil(
      'completed',
      {
        run: async () => {
          runs += 1
          const fault = runs === 1 ? new Unavailable('no') : new Refused('no')
          throw new PartlyFailed('1 of 2 markets failed: pepe: no', { outcome, faults: [fault] })
        },
      },
      {
        onRun: {
          started: async () => randomUUID(),
          finished: async (_runId: string, end: RunEnd) => {
            finished.push(end)
          },
        },
      },
    )
    expect(stored.returnvalue).toEqual(outcome)
    expect(finished).toMatchObject([
      { outcome, fault: { name: 'PartlyFailed' }, willRetry: true },
      { outcome, fault: { name: 'PartlyFailed' }, willRetry: false },
    ])
  })

  test('does not do the work again because its end could not be recorded', async () => {
    const { stored } = await runUntil(
      'completed',
      {},
      {
        onRun: {
          started: async () => randomUUID(),
          finished: () => Promise.reject(new Error('the database is away')),
        },
      },
    )
    expect(stored.attemptsMade).toBe(1)
    expect(fleet.reported('run.unrecorded')).toMatchObject([{ reason: 'the database is away' }])
  })

  test.each([
    ['a job that does not exist', 'drop-everything', { text: 'hello' }, /there is no job "drop-everything"/],
    [
      'a payload of another shape',
      'say',
      { text: 'hello', next: 'rm -rf' },
      /the payload of say cannot be used/,
    ],
    ['no payload at all', 'say', undefined, /the payload of say cannot be used/],
    ['a list for a payload', 'say', ['hello'], /the payload of say cannot be used/],
  ])('fails %s without running it, once', async (_, name, data, reason) => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    let runs = 0
    const job = aJob({
      queueOf: () => queue,
      run: async () => {
        runs += 1
        return {}
      },
    })
    const id = `by-hand-${randomUUID()}`
    await engine.queue(queue).add(name, data, { jobId: id })
    await fleet.work(engine, { queue, jobs: [job] })
    await eventually(() => stateOf(engine, queue, id)).toBe('failed')
    const failed = await stored(engine, queue, id)
    expect(failed.failedReason).toMatch(reason)
    expect(failed.failedReason).not.toContain('\n')
    expect([failed.attemptsMade, runs]).toEqual([1, 0])
  })

  test('gives a job back unharmed when it is stopped', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const running = promised()
    let runs = 0
    const job = aJob({
      queueOf: () => queue,
      attempts: 1,
      run: async ({ signal }) => {
        runs += 1
        running.keep()
        await aborted(signal)
        throw new Aborted('told to stop')
      },
    })
    const [id = ''] = await enqueue(engine, job, [{ text: 'hello' }])
    const workers = await fleet.work(engine, { queue, jobs: [job] })
    await running.promise
    await workers.close()
    expect(await stateOf(engine, queue, id)).toBe('waiting')
    const givenBack = await stored(engine, queue, id)
    expect([givenBack.attemptsMade, givenBack.failedReason ?? null, runs]).toEqual([0, null, 1])
    expect(fleet.reported('job.failed')).toEqual([])

    const done = aJob({ queueOf: () => queue })
    await fleet.work(engine, { queue, jobs: [done] })
    await eventually(() => stateOf(engine, queue, id)).toBe('completed')
  })

  test('lets a job finish that does so within the grace', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const running = promised()
    const job = aJob({
      queueOf: () => queue,
      run: async ({ signal }) => {
        running.keep()
        await aborted(signal)
        return { said: 'goodbye' }
      },
    })
    const [id = ''] = await enqueue(engine, job, [{ text: 'hello' }])
    const workers = await fleet.work(engine, { queue, jobs: [job] })
    await running.promise
    await workers.close()
    expect((await stored(engine, queue, id)).returnvalue).toEqual({ said: 'goodbye' })
  })

  test('lets go of a job that does not heed its signal, and another worker takes it up', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const running = promised()
    const never = promised<Record<string, unknown>>()
    const deaf = aJob({
      queueOf: () => queue,
      attempts: 1,
      run: () => {
        running.keep()
        return never.promise
      },
    })
    const [id = ''] = await enqueue(engine, deaf, [{ text: 'hello' }])
    const holding = { lockDurationMs: 1_000, stalledIntervalMs: 500 }
    const workers = await fleet.work(engine, { queue, jobs: [deaf], concurrency: 2, graceMs: 50, ...holding })
    await running.promise
    await workers.close()
    expect(fleet.reported('queue.jobs-let-go')).toMatchObject([{ queue, jobs: 1 }])
    await fleet.work(engine, { queue, jobs: [aJob({ queueOf: () => queue })], ...holding })
    await eventually(() => stateOf(engine, queue, id)).toBe('completed')
    never.keep({})
  })

  test('fails a job that nobody ever finishes, and tells of it though it did not run', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const holding = { lockDurationMs: 1_000, stalledIntervalMs: 300 }
    let runs = 0
    const poison = aJob({
      queueOf: () => queue,
      run: () => {
        runs += 1
        return new Promise(() => undefined)
      },
    })
    const [id = ''] = await enqueue(engine, poison, [{ text: 'hello' }])
    for (const start of [1, 2, 3]) {
      const workers = await fleet.work(engine, { queue, jobs: [poison], graceMs: 0, ...holding })
      await eventually(() => runs).toBe(start)
      await workers.close()
    }
    await fleet.work(engine, { queue, jobs: [aJob({ queueOf: () => queue })], ...holding })
    await eventually(() => stateOf(engine, queue, id)).toBe('failed')
    await eventually(() => fleet.reported('job.failed')).toHaveLength(1)
    expect(fleet.reported('job.failed')).toMatchObject([
      { queue, jobId: id, reason: expect.stringContaining('stalled') },
    ])
  })

  test('treats an abort that nobody asked for as a failure to try again', async () => {
    let runs = 0
    const { stored } = await runUntil('completed', {
      run: async () => {
        runs += 1
        if (runs === 1) throw new Aborted('the other side hung up')
        return {}
      },
    })
    expect(stored.attemptsMade).toBe(2)
  })
})
