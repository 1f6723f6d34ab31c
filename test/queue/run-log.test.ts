import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Unavailable } from '../../src/fault.ts'
import { unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import type { HttpRequest } from '../../src/http/request.ts'
import { minute, plus, second, toInstant } from '../../src/market/instant.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import type { Job } from '../../src/queue/job.ts'
import { keptRows, RunLog } from '../../src/queue/run-log.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { json, type MisbehavingServer, openMisbehavingServer } from '../http/misbehaving-server.ts'
import { engines } from '../support/database.ts'
import { aJob, eventually, TestFleet } from './fleet.ts'

const start = toInstant(Date.parse('2024-03-01T12:00:00Z'))
const nobody = () => Promise.reject(new Error('this log requests nothing'))

let server: MisbehavingServer
beforeAll(async () => {
  server = await openMisbehavingServer()
})
afterAll(() => server.close())

const aRequest = (query: HttpRequest['query']): HttpRequest => ({
  source: 'someone',
  baseUrl: server.baseUrl,
  standIns: [],
  path: '/candles',
  query,
  weight: 1,
  rateLimits: [{ points: 100, perMs: minute }],
  classify: () => undefined,
})

test('requests and batches of the same second are one row', () => {
  const rows: string[] = []
  let now = start
  const clock = { now: () => now }
  const log = new RunLog({ clock, steadyClock: clock, writeRow: (row) => rows.push(row) })
  const { onBatch } = log.within({ http: { get: nobody, download: nobody } })
  onBatch('candles', { new: 1 })
  onBatch('candles', { new: 2 })
  expect(rows).toEqual([])
  now = plus(start, second)
  onBatch('candles', { new: 3 })
  expect(rows).toEqual([
    '12:00:00 stored candles: new 1\n12:00:00 stored candles: new 2\n12:00:01 stored candles: new 3',
  ])
  log.flush()
  expect(rows).toHaveLength(1)
})

type Run = Job<{ text: string }>['run']

describe.each(engines)('the log of a job on %s', (kind) => {
  const fleet = new TestFleet(kind)

  /** The rows of the log of a job that has ended, and where they are. */
  async function rowsAfter(state: string, run: Run, attempts = 1) {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const http = openHttpClient({
      clock: systemClock,
      budget: unlimitedBudget,
      timeoutMs: 20 * second,
      maxBodyBytes: 1_000_000,
    })
    fleet.releases.push(async () => http.close())
    const job = aJob({ queueOf: () => queue, run, attempts })
    const [id = ''] = await enqueue(engine, job, [{ text: 'hello' }])
    await fleet.work(engine, { queue, jobs: [job], http })
    await eventually(() => engine.queue(queue).getJobState(id)).toBe(state)
    return (await engine.queue(queue).getJobLogs(id)).logs
  }

  test('lists the requests of a run, its batches and its counts', async () => {
    server.answer(json('[]'))
    const rows = await rowsAfter('completed', async ({ http, signal, onBatch }) => {
      await http.get(aRequest({ symbol: 'BTC', limit: '2' }), { lane: 'live', signal })
      onBatch?.('candles', { pages: 1, received: 2, new: 2 })
      return { new: 2, markets: ['a', 'b', 'c'] }
    })
    const lines = rows.join('\n').split('\n')
    expect(lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, '').replaceAll(/\d+ ms/g, 'N ms'))).toEqual([
      'GET someone /candles symbol=BTC&limit=2: 200, 2 characters, N ms',
      'stored candles: pages 1, received 2, new 2',
      'done in N ms: new 2, markets 3',
    ])
  })

  test('counts the requests of a large run beyond the first few, and loses no failed one', async () => {
    server.answer((response, request) => {
      const isBad = request.url?.includes('n=7')
      json(isBad ? 'no' : '[]', {}, isBad ? 503 : 200)(response, request)
    })
    const rows = await rowsAfter('completed', async ({ http, signal }) => {
      for (let n = 0; n < 30; n += 1)
        await http.get(aRequest({ n: String(n) }), { lane: 'live', signal }).catch(() => undefined)
      return {}
    })
    const text = rows.join('\n')
    expect(text).toMatch(/GET someone \/candles n=7: failed after \d+ ms: .*503/)
    expect(text).toContain('other requests: someone answered 24')
  })

  test('has the error of every attempt, without secrets', async () => {
    const rows = await rowsAfter(
      'failed',
      async () => {
        throw new Unavailable('no route to postgres://me:hunter2@host/db')
      },
      2,
    )
    expect(rows).toHaveLength(2)
    expect(rows[0]).toMatch(/attempt 1 failed after \d+ ms: no route/)
    expect(rows[1]).toMatch(/attempt 2 failed after \d+ ms: no route/)
    expect(rows.join()).not.toContain('hunter2')
  })

  test('keeps the newest rows of a job that writes many', async () => {
    const rows = await rowsAfter('completed', async (_context, _payload, report) => {
      for (let line = 1; line <= keptRows + 5; line += 1) await report.log(`${line} ${'x'.repeat(2_000)}`)
      return {}
    })
    expect(rows).toHaveLength(keptRows)
    expect(rows.at(-1)).toContain('done in')
    expect(rows.join('\n')).toContain(` ${keptRows + 5} x`)
    expect(rows.join('\n')).not.toContain(' 1 x')
  })
})
