import { expect, test } from 'vitest'
import { Aborted, RateLimited } from '../../src/fault.ts'
import { Releases } from '../../src/runtime/release.ts'
import { currentSpan, inSpan, type Tracer, underSpan } from '../../src/runtime/trace.ts'
import { openTracer } from '../../src/tracing/open-tracer.ts'
import { promised, recordingLog } from '../queue/fleet.ts'
import { openOtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.ts'

/** What a collector gets of the work. */
async function sentOf(work: (tracer: Tracer) => Promise<unknown>): Promise<ReceivedSpan[]> {
  await using collector = await openOtlpReceiver()
  const releases = new Releases()
  const url = `${collector.url}/v1/traces`
  await work(openTracer({ url, version: '1.2.3', log: recordingLog() }, releases))
  await releases.release()
  return collector.spans()
}

test('without a traced job, work is done and belongs to nothing', async () => {
  expect(await inSpan('step', {}, () => [currentSpan()])).toEqual([undefined])
})

test('steps that run beside each other belong to the one that began them', async () => {
  const spans = await sentOf(async (tracer) => {
    const root = tracer.root('key', 'run', {})
    const outer = (name: string) => inSpan(name, {}, () => inSpan(`within ${name}`, {}, async () => {}))
    await underSpan(root, () => Promise.all([outer('a'), outer('b')]))
    root?.end()
  })
  const nameOf = (id: string | undefined) => spans.find(({ spanId }) => spanId === id)?.name
  expect(spans.map(({ name, parentId }) => `${name} of ${nameOf(parentId)}`).sort()).toEqual([
    'a of run',
    'b of run',
    'run of undefined',
    'within a of a',
    'within b of b',
  ])
})

test('what goes on after its run has ended belongs to no trace', async () => {
  const ended = promised()
  const spans = await sentOf(async (tracer) => {
    const root = tracer.root('key', 'run', {})
    const late = underSpan(root, async () => {
      await ended.promise
      await inSpan('late', {}, () => undefined)
      return currentSpan()
    })
    root?.end()
    ended.keep()
    expect(await late).toBeUndefined()
  })
  expect(spans.map(({ name }) => name)).toEqual(['run'])
})

test('a failure is told without its secrets, and being told to stop is none', async () => {
  const spans = await sentOf(async (tracer) => {
    const root = tracer.root('key', 'run', {})
    const failing = (name: string, error: Error) =>
      inSpan(name, { attributes: { 'url.query': 'api_key=hunter2&limit=5' } }, () => Promise.reject(error))
    await underSpan(root, () =>
      Promise.allSettled([
        failing('asked', new RateLimited('wait at https://me:hunter2@mirror/', 5)),
        failing('stopped', new Aborted('the process is stopping')),
      ]),
    )
    root?.end()
  })
  const [asked, stopped] = ['asked', 'stopped'].map((name) => spans.find((span) => span.name === name))
  expect(asked?.error).toBe('wait at https://me:[secret]@mirror/')
  expect(asked?.attributes).toEqual({ 'error.type': 'RATE_LIMITED', 'url.query': 'api_key=[secret]&limit=5' })
  expect(stopped?.error).toBeUndefined()
  expect(JSON.stringify(spans)).not.toContain('hunter2')
})

test('the same job has the same trace on every machine, and another one another', async () => {
  const idsOf = async (key: string) =>
    (await sentOf(async (tracer) => tracer.root(key, 'run', {})?.end())).map((span) => span.traceId)
  const [first] = await idsOf('binance 7 1000')
  expect(await idsOf('binance 7 1000')).toEqual([first])
  expect(await idsOf('binance 7 1001')).not.toEqual([first])
})
