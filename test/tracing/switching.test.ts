import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { freePort } from '../../src/runtime/free-port.ts'
import { Releases } from '../../src/runtime/release.ts'
import { openTracer } from '../../src/tracing/open-tracer.ts'
import { openSite, type Site } from '../cli/support/site.ts'
import { recordingLog } from '../queue/fleet.ts'
import { openOtlpReceiver } from '../support/otlp-receiver.ts'

const hook = fileURLToPath(new URL('loaded-packages.mjs', import.meta.url))

/** Loads ten hours in a process of its own, and returns its log and the packages of OpenTelemetry that it has loaded. */
async function backfill(site: Site, variables: Record<string, string>) {
  const line = 'backfill bitcoin --timeframe 1m --from 2024-03-01 --to 2024-03-01T10:00Z --force --no-archive'
  const { code, stderr } = await site.run(line, {
    NODE_OPTIONS: `--import=${hook}`,
    BEACON_LOG_LEVEL: 'info',
    ...variables,
  })
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const lines = stderr.split('\n').filter((text) => text.startsWith('{'))
  return {
    events: lines.map((text): Record<string, unknown> => JSON.parse(text)),
    loaded: /^loaded: (.*)$/m.exec(stderr)?.[1],
  }
}

const doneIn = (events: readonly Record<string, unknown>[]) =>
  events.find(({ event }) => event === 'job.done')

describe.concurrent('a command', () => {
  test('with a collector sends its traces there before it ends, and the log names them', async () => {
    await using collector = await openOtlpReceiver()
    await using site = await openSite()
    const { events, loaded } = await backfill(site, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
    expect(loaded).toContain('@opentelemetry/sdk-trace-base')
    const run = collector.spans().find(({ name }) => name === 'run backfill-candles')
    expect(doneIn(events)).toMatchObject({ trace_id: run?.traceId, span_id: run?.spanId, new: 600 })
  })

  test('without one loads nothing of it', async () => {
    await using site = await openSite()
    const { events, loaded } = await backfill(site, {})
    expect(loaded).toBe('')
    expect(doneIn(events)).toMatchObject({ new: 600 })
    expect(doneIn(events)).not.toHaveProperty('trace_id')
  })
})

/** Ends one trace, as the last thing before the process ends. */
async function traceOnce(url: string) {
  const log = recordingLog()
  const releases = new Releases()
  openTracer({ url, version: '1.2.3', log }, releases).root('key', 'run', {})?.end()
  await releases.release()
  return log.events
}

describe.concurrent('a collector that is not there', () => {
  test('is told of in one warning, and ends nothing', async () => {
    const port = await freePort(0)
    expect(await traceOnce(`http://127.0.0.1:${port}/v1/traces`)).toEqual([
      {
        level: 'warn',
        event: 'traces.not-sent',
        fields: { collector: `127.0.0.1:${port}`, reason: `connect ECONNREFUSED 127.0.0.1:${port}` },
      },
    ])
  })

  test('is not waited for without end when it takes what it is sent and says nothing', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).resume()).listen(
      0,
      '127.0.0.1',
    )
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const [event, ...others] = await traceOnce(`http://127.0.0.1:${port}/v1/traces`)
    server.close()
    expect(event).toMatchObject({ level: 'warn', event: 'traces.not-sent' })
    expect(others).toEqual([])
  })
})
