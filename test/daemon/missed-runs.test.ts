import { describe, expect } from 'vitest'
import { day, hour, type Instant, minute, plus, second, toInstant } from '../../src/market/instant.ts'
import { replaceLateTick } from '../../src/missed-runs.ts'
import type { Engine, EngineJob } from '../../src/queue/engine.ts'
import { readSettings } from '../../src/settings.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { aJob, recordingLog, TestFleet } from '../queue/fleet.ts'
import { engines, test as withDatabase } from '../support/database.ts'
import { openTestEngine } from '../web/serving.ts'

/** What the queue hands a worker: a run of the schedule that was due then. */
const aTick = (schedule: string, pattern: string, dueAt: Instant, attemptsMade = 0) =>
  ({
    id: `repeat:beacon.${schedule}:${dueAt}`,
    name: schedule.split('_')[0],
    repeatJobKey: `beacon.${schedule}`,
    opts: { repeat: { pattern } },
    attemptsMade,
  }) as unknown as EngineJob

// It was due at half past midnight, and the fleet comes back at noon, weeks later.
const due = toInstant(Date.UTC(2024, 2, 1, 0, 30))
const back = plus(due, 40 * day + 11 * hour)
const retentionTick = (attemptsMade = 0) => aTick('enforce-retention', '30 0 * * *', due, attemptsMade)

describe.each(engines)('a run of a schedule that is picked up long after it was due, on %s', (kind) => {
  const test = withDatabase.extend('fleet', async ({ freshDatabase }, { onCleanup }) => {
    const opened = await Promise.all([1, 2].map(() => openTestEngine(freshDatabase.url, kind)))
    for (const engine of opened) await engine.queue('maintenance').obliterate({ force: true })
    onCleanup(async () => {
      await Promise.all(opened.map((engine) => engine.close()))
    })
    return opened.map((engine) => ({
      engine,
      databaseUrl: freshDatabase.url,
      context: {
        clock: { now: () => back },
        log: recordingLog(),
        settings: readSettings({}),
        pool: freshDatabase.pool,
      },
    }))
  })

  const waitingIn = async ({ engine }: Readonly<{ engine: Engine }>) =>
    (await engine.queue('maintenance').getJobs(['delayed', 'waiting', 'prioritized'])).map(
      ({ id, delay }) => ({
        id,
        delay,
      }),
    )

  test('is done once by a fleet that starts together, after what it needs', async ({ fleet }) => {
    const [first] = fleet
    if (!first) throw new Error('there are two')
    const instead = await Promise.all(
      [...fleet, ...fleet].map((deps) => replaceLateTick(deps, retentionTick())),
    )
    expect(instead).toEqual(Array(4).fill({ skipped: 'late' }))
    expect(await waitingIn(first)).toEqual([{ id: 'enforce-retention', delay: 5 * minute }])
  })

  test('is left out once it has run well since it was due', async ({ fleet }) => {
    const [first] = fleet
    if (!first) throw new Error('there are two')
    const db = databaseOf(first.context.pool)
    const run = await startRun(db, {
      job: 'enforce-retention',
      queue: 'maintenance',
      jobId: 'enforce-retention',
      attempt: 1,
      payload: { agreed: false },
      startedAt: plus(back, -minute),
    })
    await finishRun(db, run, { status: 'done', outcome: {} }, back)
    expect(await replaceLateTick(first, retentionTick())).toEqual({ skipped: 'late' })
    expect(await waitingIn(first)).toEqual([])
  })

  test('is left out where nobody catches it up and the next is due, and runs where that is not', async ({
    fleet,
  }) => {
    const [first] = fleet
    if (!first) throw new Error('there are two')
    const retry = (dueAt: Instant) =>
      replaceLateTick(first, aTick('retry-retention', '25 2-57/5 * * * *', dueAt))
    // It is half past eleven.
    const [overtaken, newest] = [plus(back, -7 * minute + 25 * second), plus(back, -3 * minute + 25 * second)]
    expect(await retry(overtaken)).toEqual({ skipped: 'late' })
    expect(await retry(newest)).toBeUndefined()
    expect(await waitingIn(first)).toEqual([])
  })

  test('runs where it is in time, tried again, no run of a schedule, or of a schedule that is not ours', async ({
    fleet,
  }) => {
    const [first] = fleet
    if (!first) throw new Error('there are two')
    const queued = [
      aTick('enforce-retention', '30 0 * * *', plus(back, -minute)),
      retentionTick(1),
      aTick('of-the-hub', '30 0 * * *', due),
      { id: 'enforce-retention', name: 'enforce-retention', opts: {}, attemptsMade: 0 } as EngineJob,
    ]
    for (const one of queued) expect(await replaceLateTick(first, one)).toBeUndefined()
  })
})

describe.each(engines)('a worker on %s', (kind) => {
  const fleet = new TestFleet(kind)

  withDatabase('ends a job without a run where something else is done in its place', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const runs: string[] = []
    const job = aJob({ queueOf: () => queue, run: async (_, { text }) => ({ heard: runs.push(text) }) })
    const add = (text: string) => engine.queue(queue).add('say', { text })
    const [late, other] = [await add('late'), await add('other')]
    await fleet.work(engine, {
      queue,
      jobs: [job],
      insteadOf: async ({ id }) => (id === late.id ? { skipped: 'late' } : undefined),
    })
    await expect.poll(() => engine.queue(queue).getJobState(other.id ?? '')).toBe('completed')
    expect((await engine.queue(queue).getJob(late.id ?? ''))?.returnvalue).toEqual({ skipped: 'late' })
    expect(runs).toEqual(['other'])
  })
})
