import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Cluster } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Misconfigured } from '../../src/fault.ts'
import { openBudget } from '../../src/http/budget.ts'
import type { Engine } from '../../src/queue/engine.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import { registerSchedules } from '../../src/queue/schedule.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { readSettings } from '../../src/settings.ts'
import { redisUrl as sharedRedisUrl } from '../support/database.ts'
import { findProgram } from '../support/redis.ts'
import {
  startPair,
  startRedisCluster,
  startSentinels,
  untilLinked,
  untilSays,
} from '../support/redis-groups.ts'
import { type RedisServer, RedisServers } from '../support/redis-server.ts'
import { aJob, TestFleet } from './fleet.ts'
import { startProcess } from './process.ts'
import { proxyTo } from './proxy.ts'

const openssl = await findProgram('openssl')
if (openssl === undefined) {
  process.stderr.write('no openssl was found: the test of a certificate is left out\n')
}

/** Trusted only where NODE_EXTRA_CA_CERTS names it. */
async function makeCertificate(folder: string): Promise<Readonly<{ cert: string; key: string }>> {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const options = [
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost',
  ]
  await promisify(execFile)(openssl ?? '', ['req', '-x509', ...options, '-keyout', key, '-out', cert])
  return { cert, key }
}

const minutely = { timeout: 60_000, interval: 100 }

describe.skipIf(!sharedRedisUrl)('the queue on Redis as it is run', () => {
  const fleet = new TestFleet('redis')
  let folder = ''
  let servers: RedisServers

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beacon-redis-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  // Before the fleet's own, which closes the engines while their servers still answer.
  beforeAll(() => {
    servers = new RedisServers(folder)
  })
  afterAll(() => servers.close())

  const urlOf = (...nodes: readonly RedisServer[]) =>
    `redis://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  const sentinelUrlOf = (...nodes: readonly RedisServer[]) =>
    `${urlOf(...nodes).replace('redis:', 'redis+sentinel:')}/mymaster`

  /** Work that goes on over the whole of a fail-over: a job is put in, and the next once it is done. */
  async function loadOn(engine: Engine) {
    const queue = fleet.freshQueue()
    const done = new Set<string>()
    const job = aJob({
      queueOf: () => queue,
      attempts: 20,
      run: async (_context, { text }) => {
        done.add(text)
        return { said: 1 }
      },
    })
    await fleet.work(engine, {
      queue,
      jobs: [job],
      concurrency: 4,
      lockDurationMs: 4_000,
      stalledIntervalMs: 2_000,
    })
    let count = 0
    const put = async () => {
      count += 1
      const text = `word ${count}`
      await enqueue(engine, job, [{ text }])
      return text
    }
    return { queue, job, put, hasDone: (text: string) => done.has(text) }
  }

  type Load = Awaited<ReturnType<typeof loadOn>>

  const budgetOf = (engine: Engine) => {
    if (!engine.redis) throw new Error('the engine is on Redis')
    return openBudget({ redis: engine.redis }, { share: 0.8, clock: systemClock, log: fleet.log })
  }

  const aRequest = { source: 'asked', weight: 1, rateLimits: [{ points: 1_000, perMs: 1_000 }] }
  const never = new AbortController().signal

  /** That queue, budget, schedule and health work. */
  async function expectWorking(engine: Engine, load: Load): Promise<void> {
    await expect.poll(() => engine.check().then(() => 'takes writes', String), minutely).toBe('takes writes')
    const text = await load.put()
    await expect.poll(() => load.hasDone(text), minutely).toBe(true)
    await budgetOf(engine).take(aRequest, 'live', never)
    const schedule = {
      engine,
      queues: [load.queue],
      jobs: [{ ...load.job, schedules: () => [aSchedule] }],
      settings: readSettings({}),
      coins: [],
      databaseUrl: fleet.database.url,
      now: systemClock.now(),
      log: fleet.log,
    }
    await registerSchedules(schedule)
    expect(await engine.queue(load.queue).getJobSchedulers()).toHaveLength(2)
  }
  const aSchedule = {
    id: 'hourly',
    pattern: '0 * * * *',
    payload: { text: 'hourly' },
    whenMissed: 'skip',
  } as const

  /** Puts work in, as far as it is accepted, for as long as the fail-over takes. */
  async function loadDuring(load: Load, failOver: () => Promise<void>): Promise<void> {
    let isOver = false
    const putting = (async () => {
      while (!isOver) await load.put().catch(() => wait(50))
    })()
    await failOver()
    isOver = true
    await putting
  }

  test('a fail-over of Sentinels is followed by queue, budget and health under load', async () => {
    const { primary, replica, sentinels } = await startSentinels(servers)
    const engine = await fleet.open({ redisUrl: sentinelUrlOf(...sentinels) })
    const load = await loadOn(engine)
    await expectWorking(engine, load)
    const promoted = async () => String(await replica.ask('info', 'replication'))
    await loadDuring(load, async () => {
      await primary.kill()
      await expect.poll(promoted, minutely).toMatch(/role:master/)
    })
    await expectWorking(engine, load)
  })

  test('a node of a cluster that is lost is replaced by its replica for queue, budget and health, even if no other is named in REDIS_URL', async () => {
    const { nodes, owner, replica } = await startRedisCluster(servers, '{beacon}')
    const [, second, third] = nodes
    if (!second || !third) throw new Error('the cluster has several nodes')
    const engine = await fleet.open({ redisUrl: urlOf(owner) })
    const load = await loadOn(engine)
    await expectWorking(engine, load)
    await loadDuring(load, async () => {
      await owner.kill()
      await expect.poll(() => replica.ask('info', 'replication'), minutely).toMatch(/role:master/)
    })
    await expectWorking(engine, load)
    // A new worker connects to the nodes that are left.
    await expectWorking(engine, await loadOn(engine))
    await expect(fleet.open({ redisUrl: `${urlOf(second)}/1` })).rejects.toThrow(
      new Misconfigured(
        'a Redis Cluster has no other database than 0: remove the number at the end of REDIS_URL',
      ),
    )
    // BullMQ does so where a worker's connection fails, and waits for the end of it.
    if (!(engine.redis instanceof Cluster)) throw new Error('the engine is on a cluster')
    const ofWorker = engine.redis.duplicate()
    fleet.releases.push(() => ofWorker.disconnect())
    await once(ofWorker, 'ready')
    await third.kill()
    await untilSays(second, ['cluster', 'info'], /cluster_state:fail/)
    ofWorker.disconnect()
    await expect(ofWorker.connect()).resolves.toBeUndefined()
  })

  describe('a primary and its replica', () => {
    let primary: RedisServer
    let replica: RedisServer
    beforeAll(async () => {
      ;[primary, replica] = await startPair(servers)
    })
    afterEach(async () => {
      await primary.ask('replicaof', 'no', 'one')
      await replica.ask('replicaof', '127.0.0.1', primary.port)
      await untilLinked(replica)
    })

    const failOver = async () => {
      await replica.ask('replicaof', 'no', 'one')
      await primary.ask('replicaof', '127.0.0.1', replica.port)
    }

    test('change places and the old connections stay: of several hosts, the one that takes writes is used', async () => {
      const engine = await fleet.open({ redisUrl: urlOf(replica, primary) })
      const load = await loadOn(engine)
      await expectWorking(engine, load)
      await loadDuring(load, failOver)
      await expectWorking(engine, load)
    })

    test('change places behind one address: until it has moved the reason is reported, and then the work goes on', async () => {
      const proxy = await proxyTo(urlOf(primary))
      fleet.releases.push(() => proxy.close())
      await proxy.open()
      const engine = await fleet.open({ redisUrl: proxy.urlTo(urlOf(primary)) })
      const load = await loadOn(engine)
      await expectWorking(engine, load)
      await failOver()
      await expect
        .poll(() => engine.check().catch(String), minutely)
        .toMatch(/Redis takes no writes: the server is a replica/)
      proxy.leadTo(urlOf(replica))
      await expectWorking(engine, load)
    })

    test('a replica alone is refused with a message that names its primary', async () => {
      await expect(fleet.open({ redisUrl: urlOf(replica) })).rejects.toThrow(
        new Misconfigured(
          `Redis at 127.0.0.1:${replica.port} is a replica and takes no writes: REDIS_URL must name its primary, 127.0.0.1:${primary.port}`,
        ),
      )
    })

    test('that is full says so, and goes on once it has room', async () => {
      const engine = await fleet.open({ redisUrl: urlOf(primary) })
      const load = await loadOn(engine)
      await primary.ask('config', 'set', 'maxmemory', 1)
      await expect.poll(() => engine.check().catch(String), minutely).toMatch(/Redis is full/)
      await primary.ask('config', 'set', 'maxmemory', 0)
      await expectWorking(engine, load)
    })

    test('a database number that Redis does not have is refused', async () => {
      await expect(fleet.open({ redisUrl: `${urlOf(primary)}/99` })).rejects.toThrow(
        new Misconfigured(
          'REDIS_URL names database 99, and Redis has 16 (0 to 15): name one of them, or raise "databases" in redis.conf',
        ),
      )
    })
  })

  test.skipIf(openssl === undefined)(
    'rediss:// checks the certificate of the server, and works',
    async () => {
      const certificate = await makeCertificate(folder)
      const server = await servers.start()
      const tlsPort = (await freePort(0)) ?? 0
      await server.ask(
        'config',
        'set',
        'tls-cert-file',
        certificate.cert,
        'tls-key-file',
        certificate.key,
        'tls-ca-cert-file',
        certificate.cert,
        'tls-auth-clients',
        'no',
        'tls-port',
        tlsPort,
      )
      const redisUrl = `rediss://localhost:${tlsPort}`
      await expect(fleet.open({ redisUrl, waitMs: 0 })).rejects.toThrow(
        'the certificate of Redis is not trusted (self-signed certificate): set NODE_EXTRA_CA_CERTS',
      )
      const queue = fleet.freshQueue()
      const trusting = startProcess({
        databaseUrl: fleet.database.url,
        redisUrl,
        queue,
        job: 'finish',
        variables: { NODE_EXTRA_CA_CERTS: certificate.cert },
      })
      fleet.releases.push(() => trusting.child.kill('SIGKILL'))
      await trusting.says('working')
      const engine = await fleet.open({ redisUrl: urlOf(server) })
      await enqueue(engine, aJob({ queueOf: () => queue }), [{ text: 'hello' }])
      await trusting.says('running hello')
    },
  )

  test('a Sentinel in place of a server is refused, and a primary that no Sentinel knows is named', async () => {
    const primary = await servers.start()
    const sentinel = await servers.startSentinel(primary, 1)
    await expect(fleet.open({ redisUrl: urlOf(sentinel) })).rejects.toThrow(
      new Misconfigured(
        `the server at 127.0.0.1:${sentinel.port} is a Sentinel: write REDIS_URL as redis+sentinel://127.0.0.1:${sentinel.port}/mymaster`,
      ),
    )
    const unknown = sentinelUrlOf(sentinel).replace('mymaster', 'other')
    await expect(fleet.open({ redisUrl: unknown })).rejects.toThrow(
      'no Sentinel in REDIS_URL monitors a primary called "other": redis-cli -p 26379 sentinel masters lists the names',
    )
  })
})
