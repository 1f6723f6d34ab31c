import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { hour, type Instant, minute, plus, second } from '../../src/market/instant.ts'
import type { Engine } from '../../src/queue/engine.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import type { Job } from '../../src/queue/job.ts'
import { registerSchedules } from '../../src/queue/schedule.ts'
import { healSetBack } from '../../src/queue/set-back.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readSettings } from '../../src/settings.ts'
import { engines, redisUrl } from '../support/database.ts'
import { aborted, aJob, eventually, promised, TestFleet } from './fleet.ts'

/** What was written now is checked as if the clock had been ahead by so much then, and set right since. */
describe.each([hour, 23 * hour])('a clock that was %i ms ahead and is set right', (aheadMs) => {
  const setRight = (): Instant => plus(systemClock.now(), -aheadMs)

  describe.each(engines)('on %s', (kind) => {
    const fleet = new TestFleet(kind)

    const register = (engine: Engine, queue: string, job: Job<{ text: string }>, now: Instant) =>
      registerSchedules({
        engine,
        queues: [queue],
        jobs: [job],
        settings: readSettings({}),
        coins: [],
        databaseUrl: fleet.database.url,
        now,
        log: fleet.log,
      })

    const scheduledJob = (queue: string) =>
      aJob({
        queueOf: () => queue,
        schedules: () => [
          { id: 'say_daily', pattern: '0 0 * * *', payload: { text: 'daily' }, whenMissed: 'skip' },
        ],
      })

    test('has its schedules planned anew, once', async () => {
      const engine = await fleet.open()
      const queue = fleet.freshQueue()
      const job = scheduledJob(queue)
      await register(engine, queue, job, systemClock.now())
      expect(await register(engine, queue, job, systemClock.now())).toEqual(new Set())
      // The heartbeat of a few seconds always; a tick of the day only where another midnight lies between.
      expect(await register(engine, queue, job, setRight())).toContain('heartbeat')
      const next = (await engine.queue(queue).getJobScheduler('beacon.heartbeat'))?.next ?? 0
      expect(next).toBeLessThanOrEqual(plus(systemClock.now(), 15 * second))
      expect(await register(engine, queue, job, systemClock.now())).toEqual(new Set())
    })

    test('lets jobs go on that were put off then, and forgets runs of times that are still to come', async () => {
      const engine = await fleet.open()
      const queue = fleet.freshQueue()
      const job = aJob({ queueOf: () => queue, idOf: ({ text }) => `say_${text}` })
      await fleet.work(engine, { queue, jobs: [job] })
      await enqueue(engine, job, [{ text: 'done' }])
      await eventually(() => engine.queue(queue).getJobState('say_done')).toBe('completed')
      await enqueue(engine, job, [{ text: 'late' }], { delayMs: hour })
      expect(await healSetBack(engine, [queue], systemClock.now())).toEqual({
        promoted: 0,
        removed: 0,
        unlocked: 0,
      })
      expect(await healSetBack(engine, [queue], setRight())).toMatchObject({ promoted: 1, removed: 1 })
      await eventually(() => engine.queue(queue).getJobState('say_late')).toBe('completed')
      expect(await engine.queue(queue).getJobState('say_done')).toBe('unknown')
    })

    test('ends the locks of workers that are gone', async () => {
      const engine = await fleet.open()
      const queue = fleet.freshQueue()
      const { promise: running, keep: begun } = promised()
      const job = aJob({
        queueOf: () => queue,
        run: async ({ signal }) => {
          begun()
          await aborted(signal)
          return {}
        },
      })
      // No lock is renewed meanwhile.
      await fleet.work(engine, { queue, jobs: [job], lockDurationMs: 2 * hour, graceMs: 100 })
      const [id = ''] = await enqueue(engine, job, [{ text: 'hello' }])
      await running
      const { unlocked } = await healSetBack(engine, [queue], systemClock.now())
      expect(unlocked).toBeGreaterThan(0)
      expect(await lockLeftMs(queue, id)).toBeLessThanOrEqual(30 * second)
    })

    /** How long the job's lock lasts. */
    async function lockLeftMs(queue: string, id: string): Promise<number> {
      if (kind === 'postgres') {
        const { rows } = await fleet.database.pool.query<{ left: string }>(
          `select locked_until_ms - extract(epoch from clock_timestamp()) * 1000 as left from bullmq.job where queue = $1 and id = $2`,
          [queue, id],
        )
        return Number(rows[0]?.left)
      }
      const redis = new Redis(redisUrl ?? '')
      try {
        return await redis.pttl(`{beacon}:${queue}:${id}:lock`)
      } finally {
        redis.disconnect()
      }
    }
  })
})

describe.each(engines)('a schedule on %s', (kind) => {
  const fleet = new TestFleet(kind)

  /** As a collision of ids, or a human in the database, leaves a schedule behind: it is registered, and never runs. */
  async function forgetJobs(queue: string): Promise<void> {
    if (kind === 'postgres') {
      await fleet.database.pool.query('delete from bullmq.job where queue = $1', [queue])
      return
    }
    const redis = new Redis(redisUrl ?? '')
    try {
      const jobs = await redis.keys(`{beacon}:${queue}:repeat:beacon.*:[0-9]*`)
      await redis.del(`{beacon}:${queue}:delayed`, `{beacon}:${queue}:wait`, ...jobs)
    } finally {
      redis.disconnect()
    }
  }

  test('whose next run somebody has removed is planned anew once it is overdue', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = aJob({
      queueOf: () => queue,
      schedules: () => [
        { id: 'say_often', pattern: '* * * * * *', payload: { text: 'often' }, whenMissed: 'skip' },
      ],
    })
    const registered = (now: Instant) =>
      registerSchedules({
        engine,
        queues: [queue],
        jobs: [job],
        settings: readSettings({}),
        coins: [],
        databaseUrl: fleet.database.url,
        now,
        log: fleet.log,
      })
    await registered(systemClock.now())
    // Overdue only because there is no worker: its job waits.
    const later = plus(systemClock.now(), 3 * minute)
    expect(await registered(later)).toEqual(new Set())
    await forgetJobs(queue)
    expect(await registered(systemClock.now())).toEqual(new Set())
    expect(await registered(later)).toContain('say_often')
    const waiting = await engine.queue(queue).getJobs(['delayed', 'waiting', 'prioritized'])
    expect(waiting.map(({ name }) => name)).toContain('say')
  })
})
