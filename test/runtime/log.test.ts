import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { enqueue } from '../../src/queue/enqueue.ts'
import { childLog } from '../../src/runtime/log.ts'
import { withoutSecrets } from '../../src/runtime/redaction.ts'
import { projectDir } from '../ground/project.ts'
import { aJob, eventually, recordingLog, TestFleet } from '../queue/fleet.ts'

const execute = promisify(execFile)

/** What a process writes that runs this with a `log`, first as JSON and then for a person. */
async function written(script: string): Promise<{ json: string[]; pretty: string }> {
  const whole = `
    import { openLog } from './src/runtime/log.ts'
    for (const pretty of [false, true]) {
      const log = openLog({ level: 'info', pretty })
      ${script}
    }`
  const { stderr } = await execute(
    process.execPath,
    ['--import', 'tsx', '--input-type', 'module', '--eval', whole],
    { cwd: projectDir },
  )
  const lines = stderr.trimEnd().split('\n')
  const json = lines.filter((line) => line.startsWith('{"level"'))
  return { json, pretty: lines.slice(json.length).join('\n') }
}

const secrets = `
  const cause = new Error('connect failed: redis://:hunter2@cache:6379/0')
  log.info('job.done', { runId: '7f3a', key: 'series.stale', tookMs: 12, sources: ['binance'], when: new Date(0) })
  log.error('job.failed', {
    reason: 'no answer from postgres://beacon:hunter2@db:5432/beacon?sslmode=require',
    error: new Error('get https://api.example/v1?api_key=hunter2&limit=5', { cause }),
    settings: { redisUrl: 'redis://:hunter2@cache', monitoring: { webhook: { secret: 'hunter2' } } },
    connection: { apiKey: 'hunter2', api_secret: 'hunter2', passphrase: 'hunter2', list: [{ accessToken: 'hunter2' }] },
    request: { headers: { Authorization: 'Bearer hunter2hunter2', cookie: 'hunter2' }, body: '{"password": "hunter2 hunter2"}' },
    password: null,
  })
  log.error('bug', new TypeError('password=hunter2 is refused'))
  log.debug('never.written')`

test('no secret is written, in whatever field or message it stands, and the rest is', async () => {
  const { json, pretty } = await written(secrets)
  expect(pretty).toMatch(/^\[\d\d:\d\d:\d\d\] .*INFO.*job\.done/)
  expect(pretty).toContain('job.failed')
  expect(`${json}${pretty}`).not.toContain('hunter2')
  const [done, failed, bug, ...others] = json.map((line) => JSON.parse(line))
  expect(others).toEqual([])
  expect(done).toMatchObject({ level: 30, event: 'job.done', runId: '7f3a', key: 'series.stale', tookMs: 12 })
  expect(done).toMatchObject({ sources: ['binance'], when: '1970-01-01T00:00:00.000Z' })
  expect(failed).toMatchObject({
    level: 50,
    reason: 'no answer from postgres://beacon:[secret]@db:5432/beacon?sslmode=require',
    error: {
      message: 'get https://api.example/v1?api_key=[secret]&limit=5',
      stack: expect.stringContaining('    at '),
      cause: { message: 'connect failed: redis://:[secret]@cache:6379/0' },
    },
    connection: { apiKey: '[secret]', list: [{ accessToken: '[secret]' }] },
    password: null,
  })
  expect(bug).toMatchObject({
    event: 'bug',
    error: { name: 'TypeError', message: 'password=[secret] is refused' },
  })
})

test.each([
  ['postgres://user:p@ss/w:rd@host/db', 'postgres://user:[secret]@host/db'],
  ['rediss://default:x%40y@cache:6380, then again', 'rediss://default:[secret]@cache:6380, then again'],
  ['postgres://beacon@localhost:5432/beacon', 'postgres://beacon@localhost:5432/beacon'],
  ["host=db user=beacon password='a b' dbname=x", 'host=db user=beacon password=[secret] dbname=x'],
  ['BEACON_ENCRYPTION_KEYS=k1:c2VjcmV0 is wrong', 'BEACON_ENCRYPTION_KEYS=[secret] is wrong'],
  ['{\\"token\\":\\"abc\\",\\"page\\":2}', '{\\"token\\":[secret],\\"page\\":2}'],
  ['authorization: Basic dXNlcjpwYXNz', 'authorization: [secret]'],
  ['sent Bearer eyJhbGciOi.J9 to it', 'sent Bearer [secret] to it'],
  ['https://hooks.slack.com/services/T0/B0/xyz failed', 'https://hooks.slack.com/services/[secret] failed'],
  ['check user, password and rights in REDIS_URL', 'check user, password and rights in REDIS_URL'],
  ['Unexpected token < in JSON at position 0', 'Unexpected token < in JSON at position 0'],
  ['bitcoin 1m from binance: 1,440 candles', 'bitcoin 1m from binance: 1,440 candles'],
])('%s is told as %s', (text, reported) => {
  expect(withoutSecrets(text)).toBe(reported)
})

test('a child puts its fields on every line, and no event takes its place', () => {
  const log = recordingLog()
  const child = childLog(childLog(log, { job: 'ingest-candles', queue: 'binance' }), { runId: '7f3a' })
  child.info('job.done', { received: 3, job: 'another' })
  child.warn('source.slow')
  const fields = { job: 'ingest-candles', queue: 'binance', runId: '7f3a' }
  expect(log.events).toEqual([
    { level: 'info', event: 'job.done', fields: { received: 3, ...fields } },
    { level: 'warn', event: 'source.slow', fields },
  ])
})

describe('a worker', () => {
  const fleet = new TestFleet('postgres')

  test('puts the run, the job and the queue on every line of a run, the job writes it or the worker', async () => {
    const engine = await fleet.open()
    const queue = fleet.freshQueue()
    const job = aJob({
      queueOf: () => queue,
      run: async ({ log, runId }) => {
        log.warn('source.slow', { source: 'binance' })
        return { reported: runId }
      },
    })
    await fleet.work(engine, {
      queue,
      jobs: [job],
      onRun: { started: async () => '7f3a', finished: async () => undefined },
    })
    const [jobId] = await enqueue(engine, job, [{ text: 'hello' }])
    await eventually(() => fleet.reported('job.done')).toHaveLength(1)
    const identity = { runId: '7f3a', job: 'say', queue, jobId, attempt: 1 }
    expect(fleet.reported('source.slow')).toEqual([{ source: 'binance', ...identity }])
    expect(fleet.reported('job.done')).toEqual([
      { reported: '7f3a', tookMs: expect.any(Number), ...identity },
    ])
  })
})
