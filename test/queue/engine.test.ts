import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { Aborted, InvalidInput, Misconfigured, Unavailable } from '../../src/fault.ts'
import { plus } from '../../src/market/instant.ts'
import type { Engine } from '../../src/queue/engine.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { engines, redisUrl } from '../support/database.ts'
import { openRedis } from '../support/redis.ts'
import { aJob, eventually, TestFleet } from './fleet.ts'
import { startProcess } from './process.ts'
import { throughProxy } from './proxy.ts'

describe.each(engines)('the engine on %s', (kind) => {
  const fleet = new TestFleet(kind)

  test('says which store it is on, and that it answers', async () => {
    const engine = await fleet.open()
    expect(engine.kind).toBe(kind)
    await expect(engine.check()).resolves.toBeUndefined()
  })

  test.each([-6_000, 6_000])('refuses a machine whose clock is %i ms off', async (offMs) => {
    const clock = { now: () => plus(systemClock.now(), offMs) }
    const opening = fleet.open({ clock })
    await expect(opening).rejects.toThrow(Misconfigured)
    await expect(opening).rejects.toThrow(/clock is 6 s (?:ahead of|behind) the database's: set both by NTP/)
  })

  test('takes a machine whose clock is a little off', async () => {
    await fleet.open({ clock: { now: () => plus(systemClock.now(), 4_000) } })
  })

  test('gives one queue for one name', async () => {
    const engine = await fleet.open()
    const name = fleet.freshQueue()
    expect(engine.queue(name)).toBe(engine.queue(name))
  })

  test.each(['ccxt:kraken', '', 'two words'])('refuses to call a queue "%s"', async (name) => {
    const engine = await fleet.open()
    expect(() => engine.queue(name)).toThrow(InvalidInput)
    await expect(engine.openWorker(name, async () => ({}), { concurrency: 1 })).rejects.toThrow(InvalidInput)
  })

  test('is opened by several processes at once', async () => {
    const opened = await Promise.all(Array.from({ length: 6 }, () => fleet.open()))
    for (const engine of opened) await engine.check()
  })

  test('waits for a store that is not there yet, and then works', async () => {
    const { proxy, urls } = await throughProxy(fleet)
    const opening = fleet.open(urls)
    await eventually(() => fleet.reported('engine.waiting')).toHaveLength(1)
    await proxy.open()
    const engine = await opening
    await works(engine)
  })

  test('says what to do when the store does not come', async () => {
    const { urls } = await throughProxy(fleet)
    const opening = fleet.open({ ...urls, waitMs: 300 })
    await expect(opening).rejects.toThrow(Unavailable)
    await expect(opening).rejects.toThrow(/did not answer within 0.3 s: start it/)
    expect(fleet.reported('engine.waiting')).toHaveLength(1)
  })

  test('stops waiting when told to', async () => {
    const { urls } = await throughProxy(fleet)
    const stop = new AbortController()
    const opening = fleet.open({ ...urls, signal: stop.signal })
    await eventually(() => fleet.reported('engine.waiting')).toHaveLength(1)
    stop.abort()
    await expect(opening).rejects.toThrow(Aborted)
  })

  test('tells of a store that goes away in few words, says so when asked, and goes on when it is back', async () => {
    const { proxy, urls } = await throughProxy(fleet)
    await proxy.open()
    const engine = await fleet.open(urls)
    const queue = fleet.freshQueue()
    const job = aJob({ queueOf: () => queue })
    await fleet.work(engine, { queue, jobs: [job] })
    await proxy.close()
    await expect(engine.check()).rejects.toThrow()
    await eventually(() => fleet.reported('queue.error').length).toBeGreaterThan(0)
    await proxy.open()
    await eventually(() => engine.check().then(() => 'answers', String)).toBe('answers')
    const near = await fleet.open()
    const [id = ''] = await enqueue(near, job, [{ text: 'hello' }])
    await eventually(() => near.queue(queue).getJobState(id)).toBe('completed')
    const reported = fleet.reported('queue.error').map(({ queue: name, reason }) => `${name} ${reason}`)
    expect(new Set(reported).size).toBe(reported.length)
  })

  test('opens a worker while the store is away for a moment', async () => {
    const { proxy, urls } = await throughProxy(fleet)
    await proxy.open()
    const engine = await fleet.open(urls)
    await proxy.close()
    const queue = fleet.freshQueue()
    const job = aJob({ queueOf: () => queue })
    const starting = fleet.work(engine, { queue, jobs: [job] })
    const near = await fleet.open()
    const [id = ''] = await enqueue(near, job, [{ text: 'hello' }])
    await proxy.open()
    await starting
    await eventually(() => near.queue(queue).getJobState(id)).toBe('completed')
  })

  test('opens no worker any more once it is closing', async () => {
    const engine = await fleet.open()
    const closed = engine.close()
    await expect(engine.openWorker(fleet.freshQueue(), async () => ({}), { concurrency: 1 })).rejects.toThrow(
      Aborted,
    )
    await closed
  })

  test('closes with a store that is gone', async () => {
    const { proxy, urls } = await throughProxy(fleet)
    await proxy.open()
    const engine = await fleet.open(urls)
    const queue = fleet.freshQueue()
    await fleet.work(engine, { queue, jobs: [aJob({ queueOf: () => queue })] })
    await engine.queue(queue).getJobCounts()
    await proxy.close()
    await expect(engine.close()).resolves.toBeUndefined()
  })

  test.each(['finish', 'stay'] as const)('leaves nothing open: its process ends (job: %s)', async (work) => {
    const queue = fleet.freshQueue()
    const other = startProcess({ ...fleet.urls, queue, job: work })
    fleet.releases.push(() => other.child.kill('SIGKILL'))
    await other.says('working')
    const engine = await fleet.open()
    await enqueue(engine, aJob({ queueOf: () => queue }), [{ text: 'hello' }])
    await other.says('running hello')
    other.child.kill('SIGTERM')
    await other.says('closed')
    expect(await other.ended).toBe(0)
  })

  test('hands a job whose process was killed to another, without counting it as a try', async () => {
    const queue = fleet.freshQueue()
    const killed = startProcess({ ...fleet.urls, queue, job: 'stay' })
    fleet.releases.push(() => killed.child.kill('SIGKILL'))
    await killed.says('working')
    const engine = await fleet.open()
    const attempts: number[] = []
    const job = aJob({ queueOf: () => queue, attempts: 1 })
    const [id = ''] = await enqueue(engine, job, [{ text: 'hello' }])
    await killed.says('running hello')
    killed.child.kill('SIGKILL')
    expect(await killed.ended).toBe('SIGKILL')
    await fleet.work(engine, {
      queue,
      jobs: [job],
      lockDurationMs: 1_000,
      stalledIntervalMs: 500,
      onRun: {
        started: async ({ attempt }) => `${attempts.push(attempt)}`,
        finished: async () => undefined,
      },
    })
    await eventually(() => engine.queue(queue).getJobState(id)).toBe('completed')
    expect(attempts).toEqual([1])
    expect(fleet.reported('job.stalled')).toEqual([{ queue, jobId: id }])
  })

  async function works(engine: Engine): Promise<void> {
    const queue = fleet.freshQueue()
    const job = aJob({ queueOf: () => queue })
    const [id = ''] = await enqueue(engine, job, [{ text: 'hello' }])
    await fleet.work(engine, { queue, jobs: [job] })
    await eventually(() => engine.queue(queue).getJobState(id)).toBe('completed')
  }
})

describe('the engine on postgres', () => {
  const fleet = new TestFleet('postgres')

  test('says at once that the database does not exist', async () => {
    const url = new URL(fleet.database.url)
    url.pathname = '/no_such_database'
    await expect(fleet.open({ databaseUrl: url.href })).rejects.toThrow(
      /the database does not exist: create it/,
    )
  })

  test('says at once that the password is wrong', async () => {
    const url = new URL(fleet.database.url)
    url.password = 'wrong'
    await expect(fleet.open({ databaseUrl: url.href })).rejects.toThrow(Misconfigured)
  })

  test('keeps its tables in a schema of their own', async () => {
    await fleet.open()
    const client = new Client({ connectionString: fleet.database.url })
    await client.connect()
    fleet.releases.push(() => client.end())
    const { rows } = await client.query(
      "select distinct table_schema from information_schema.tables where table_name in ('job', 'scheduler')",
    )
    expect(rows).toEqual([{ table_schema: 'bullmq' }])
  })
})

describe.runIf(redisUrl)('the engine on redis', () => {
  const fleet = new TestFleet('redis')

  async function ownRedis() {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-redis-'))
    fleet.releases.push(() => rm(folder, { recursive: true, force: true }))
    const server = await openRedis(folder)
    if (!server) throw new Error('no redis-server was found')
    fleet.releases.push(server.close)
    const admin = new Redis(server.url)
    fleet.releases.push(() => admin.disconnect())
    return { url: server.url, admin }
  }

  test('refuses a Redis that forgets when memory is short, and names the remedy', async () => {
    const { url, admin } = await ownRedis()
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const opening = fleet.open({ redisUrl: url })
    await expect(opening).rejects.toThrow(Misconfigured)
    await expect(opening).rejects.toThrow(/allkeys-lru and would lose jobs: set it to noeviction/)
  })

  test('refuses it also where CONFIG is forbidden', async () => {
    const { url, admin } = await ownRedis()
    await admin.config('SET', 'maxmemory-policy', 'volatile-ttl')
    await admin.acl('SETUSER', 'worker', 'on', '>secret', '~*', '&*', '+@all', '-config')
    await expect(fleet.open({ redisUrl: withLogin(url, 'worker:secret') })).rejects.toThrow(/volatile-ttl/)
    await admin.config('SET', 'maxmemory-policy', 'noeviction')
    const engine = await fleet.open({ redisUrl: withLogin(url, 'worker:secret') })
    await engine.queue(fleet.freshQueue()).getJobCounts()
  })

  test('says at once that the login is refused, without telling the password', async () => {
    const { url, admin } = await ownRedis()
    await admin.config('SET', 'requirepass', 'right')
    for (const login of ['', ':wrong']) {
      const opening = fleet.open({ redisUrl: withLogin(url, login) })
      await expect(opening).rejects.toThrow(/Redis refuses the login/)
    }
    await fleet.open({ redisUrl: withLogin(url, ':right') })
    expect(JSON.stringify(fleet.log.events)).not.toMatch(/wrong|right/)
  })

  const withLogin = (url: string, login: string) => url.replace('redis://', `redis://${login}${login && '@'}`)
})
