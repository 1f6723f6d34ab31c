import { describe, test } from 'vitest'
import { enqueue } from '../../src/queue/enqueue.ts'
import { registerSchedules } from '../../src/queue/schedule.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readSettings } from '../../src/settings.ts'
import { engines } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { aJob, TestFleet } from './fleet.ts'
import { throughProxy } from './proxy.ts'

// Nothing ever answers here, so the real time limits have to pass: on all engines at the same time.
describe.concurrent.each(engines)('connections to %s that died silently', (kind) => {
  const fleet = new TestFleet(kind)

  test('keep nobody from working, nor the engine from closing', async ({ expect }) => {
    const { proxy, urls } = await throughProxy(fleet)
    await proxy.open()
    const engine = await fleet.open(urls)
    const queue = fleet.freshQueue()
    const job = aJob({ queueOf: () => queue })
    await registerSchedules({
      engine,
      queues: [queue],
      jobs: [job],
      settings: readSettings({}),
      coins: [],
      databaseUrl: fleet.database.url,
      now: systemClock.now(),
      log: fleet.log,
    })
    await fleet.work(engine, { queue, jobs: [job] })
    const near = await fleet.open()
    const done = (id: string) => eventually<string>(() => near.queue(queue).getJobState(id), 'completed')
    const [first = ''] = await enqueue(near, job, [{ text: 'hello' }])
    await done(first)
    proxy.silence()
    const [second = ''] = await enqueue(near, job, [{ text: 'is anybody there' }])
    await done(second)
    proxy.silence()
    await expect(engine.close()).resolves.toBeUndefined()
  })
})
