import { describe, expect, test } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { toInstant, toIso } from '../../src/market/instant.ts'
import type { Engine } from '../../src/queue/engine.ts'
import type { Job, Scheduled } from '../../src/queue/job.ts'
import { lastDue, registerSchedules } from '../../src/queue/schedule.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readSettings } from '../../src/settings.ts'
import { engines } from '../support/database.ts'
import { aJob, eventually, TestFleet } from './fleet.ts'

const yearly = '5 0 1 1 *'
const everySecond = '* * * * * *'

const settings = readSettings({})

describe.each(engines)('the schedule on %s', (kind) => {
  const fleet = new TestFleet(kind)

  const scheduledJob = (
    queue: string,
    schedules: readonly Partial<Scheduled<{ text: string }>>[],
    parts: Partial<Job<{ text: string }>> = {},
  ) =>
    aJob({
      queueOf: () => queue,
      schedules: () =>
        schedules.map((one) => ({
          id: 'say_hello',
          pattern: yearly,
          payload: { text: 'hello' },
          whenMissed: 'skip',
          ...one,
        })),
      ...parts,
    })

  const register = (engine: Engine, queue: string, jobs: readonly Job<{ text: string }>[]) =>
    registerSchedules({
      engine,
      queues: [queue],
      jobs,
      settings,
      coins: [],
      databaseUrl: fleet.database.url,
      now: systemClock.now(),
      log: fleet.log,
    })

  const schedulers = async (engine: Engine, queue: string) =>
    (await engine.queue(queue).getJobSchedulers(0, -1)).map(({ key }) => key).sort()

  const written = () => fleet.reported('schedule.written').map(({ scheduler }) => scheduler)

  test('is written once by fifty processes that start together, with one next run each', async () => {
    const openings = Array.from({ length: 5 }, () => fleet.open())
    const opened = await Promise.all(openings)
    const queue = fleet.freshQueue()
    const job = scheduledJob(queue, [{}], { priority: 3, attempts: 2 })
    await Promise.all(
      opened.flatMap((engine) => Array.from({ length: 10 }, () => register(engine, queue, [job]))),
    )
    expect(written()).toHaveLength(2)
    const [engine] = opened
    if (!engine) throw new Error('no engine was opened')
    expect(await schedulers(engine, queue)).toEqual(['beacon.heartbeat', 'beacon.say_hello'])
    const waiting = await engine.queue(queue).getJobs(['delayed', 'waiting', 'prioritized'])
    expect(waiting.map(({ name }) => name).sort()).toEqual(['heartbeat', 'say'])
    const next = waiting.find(({ name }) => name === 'say')
    expect(next?.opts).toMatchObject({ priority: 3, attempts: 2, removeOnComplete: { age: 86_400 } })
    expect(next?.data).toEqual({ text: 'hello' })
  })

  test('is not written again when nothing has changed', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = scheduledJob(queue, [{}])
    await register(engine, queue, [job])
    fleet.log.events.length = 0
    await register(engine, queue, [job])
    expect(written()).toEqual([])
  })

  test.each<[string, Partial<Scheduled<{ text: string }>>, Partial<Job<{ text: string }>>]>([
    ['time', { pattern: '6 0 1 1 *' }, {}],
    ['payload', { payload: { text: 'good morning' } }, {}],
    ['priority', {}, { priority: 7 }],
  ])('is written again when its %s has changed', async (_, schedule, parts) => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    await register(engine, queue, [scheduledJob(queue, [{}])])
    fleet.log.events.length = 0
    await register(engine, queue, [scheduledJob(queue, [schedule], parts)])
    expect(written()).toEqual(['beacon.say_hello'])
    await register(engine, queue, [scheduledJob(queue, [schedule], parts)])
    expect(written()).toHaveLength(1)
  })

  test('keeps a run that fell due while nobody was there', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const ran: string[] = []
    const job = scheduledJob(queue, [{ pattern: everySecond }], {
      run: async (_, { text }) => ({ heard: ran.push(text) }),
    })
    await register(engine, queue, [job])
    const [due] = (await engine.queue(queue).getJobs(['delayed'])).filter(({ name }) => name === 'say')
    if (!due?.id) throw new Error('nothing was scheduled')
    await eventually(() => systemClock.now() > due.timestamp + (due.opts.delay ?? 0) + 100).toBe(true)
    await register(engine, queue, [job])
    await fleet.work(engine, { queue, jobs: [job] })
    await eventually(() => engine.queue(queue).getJobState(due.id ?? '')).toBe('completed')
    expect(ran[0]).toBe('hello')
  })

  test('runs one job at each time it is due, whoever works', async () => {
    const queue = fleet.freshQueue()
    const starts: number[] = []
    const job = scheduledJob(queue, [{ pattern: everySecond }], {
      run: async ({ clock }) => ({ started: starts.push(Math.floor(clock.now() / 1_000)) }),
    })
    const opened = await Promise.all([fleet.open(), fleet.open()])
    for (const engine of opened) {
      await register(engine, queue, [job])
      await fleet.work(engine, { queue, jobs: [job] })
    }
    await eventually(() => starts.length).toBeGreaterThanOrEqual(4)
    expect(new Set(starts).size).toBe(starts.length)
  })

  test('loses what is no longer declared, and nothing that others made', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    await engine.queue(queue).upsertJobScheduler('by-hand', { pattern: yearly }, { name: 'say' })
    await register(engine, queue, [scheduledJob(queue, [{}, { id: 'say_more' }])])
    expect(await schedulers(engine, queue)).toHaveLength(4)
    await register(engine, queue, [scheduledJob(queue, [{ id: 'say_more' }])])
    expect(await schedulers(engine, queue)).toEqual(['beacon.heartbeat', 'beacon.say_more', 'by-hand'])
    expect(fleet.reported('schedule.removed')).toEqual([{ queue, scheduler: 'beacon.say_hello' }])
    // Nobody needs to listen to a queue without a schedule.
    await register(engine, queue, [])
    expect(await schedulers(engine, queue)).toEqual(['by-hand'])
  })

  test('comes back after someone removed it', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = scheduledJob(queue, [{}])
    await register(engine, queue, [job])
    await engine.queue(queue).obliterate({ force: true })
    await register(engine, queue, [job])
    expect(await schedulers(engine, queue)).toEqual(['beacon.heartbeat', 'beacon.say_hello'])
    const waiting = await engine.queue(queue).getJobs(['delayed', 'waiting'])
    expect(waiting.map(({ name }) => name).sort()).toEqual(['heartbeat', 'say'])
  })

  test('survives a queue that is emptied', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = scheduledJob(queue, [{}])
    await register(engine, queue, [job])
    await engine.queue(queue).drain(true)
    await engine.queue(queue).clean(0, 100, 'delayed')
    await register(engine, queue, [job])
    const waiting = await engine.queue(queue).getJobs(['delayed', 'waiting'])
    expect(waiting.map(({ name }) => name).sort()).toEqual(['heartbeat', 'say'])
  })

  test('beats in every queue with a schedule, without keeping its beats, and keeps what others finished', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = aJob({ queueOf: () => queue })
    await fleet.work(engine, { queue, jobs: [job] })
    await engine.queue(queue).add('say', { text: 'hello' }, { jobId: 'first' })
    await eventually(() => engine.queue(queue).getJobState('first')).toBe('completed')
    await register(engine, queue, [scheduledJob(queue, [{}])])
    const beats = async () =>
      (await engine.queue(queue).getJobScheduler('beacon.heartbeat'))?.iterationCount ?? 0
    await eventually(beats).toBeGreaterThan(1)
    await engine.queue(queue).add('say', { text: 'hello' }, { jobId: 'second' })
    await eventually(() => engine.queue(queue).getJobState('second')).toBe('completed')
    const kept = await engine.queue(queue).getJobs(['completed', 'failed'])
    expect(kept.map(({ id }) => id).sort()).toEqual(['first', 'second'])
    expect(fleet.reported('job.done').map(({ job: name }) => name)).toEqual(['say', 'say'])
  })

  test.each([
    ['a pattern that is none', { pattern: 'at noon' }],
    ['a day that never comes', { pattern: '0 0 30 2 *' }],
  ])('refuses %s in a sentence, and writes nothing', async (_, schedule) => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    await expect(register(engine, queue, [scheduledJob(queue, [schedule])])).rejects.toThrow(InvalidInput)
    expect(await schedulers(engine, queue)).toEqual([])
  })
})

describe('when a pattern was last due', () => {
  const at = (iso: string) => toInstant(Date.parse(iso))

  test.each([
    ['5 0 * * *', '2026-03-29T00:04:59.999Z', '2026-03-28T00:05:00.000Z'],
    ['5 0 * * *', '2026-03-29T00:05:00.000Z', '2026-03-29T00:05:00.000Z'],
    ['5 0 * * *', '2026-03-29T00:05:00.001Z', '2026-03-29T00:05:00.000Z'],
    ['30 2 * * *', '2026-03-29T12:00:00Z', '2026-03-29T02:30:00.000Z'],
    ['30 2 * * *', '2026-10-25T12:00:00Z', '2026-10-25T02:30:00.000Z'],
    ['5 0 * * *', '2028-03-01T00:00:00Z', '2028-02-29T00:05:00.000Z'],
    ['5 0 * * *', '2027-01-01T00:00:00Z', '2026-12-31T00:05:00.000Z'],
    ['40 0 * * * *', '2026-03-29T11:00:39Z', '2026-03-29T10:00:40.000Z'],
    ['0 0 29 2 *', '2027-06-01T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ])('%s at %s: %s', (pattern, now, due) => {
    expect(toIso(lastDue(pattern, at(now)))).toBe(due)
  })
})
