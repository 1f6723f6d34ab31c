import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { expect, test } from 'vitest'
import { freePort } from '../../src/runtime/free-port.ts'
import { tellingExporter } from '../../src/tracing/telling-exporter.ts'
import { openOtlpReceiver } from '../support/otlp-receiver.ts'

test('a collector that is away is told of once, and once more when it is back', async () => {
  const port = (await freePort(0)) ?? 0
  const attributesOf: (string | undefined)[] = []
  const exporter = tellingExporter(
    new OTLPTraceExporter({ url: `http://127.0.0.1:${port}/v1/traces`, timeoutMillis: 500 }),
    (failure) => attributesOf.push(failure?.message),
  )
  const send = () => new Promise((resolve) => exporter.export([], resolve))
  // To the SDK all went well: it would tell of the failure again, in its own way.
  expect(await send()).toEqual({ code: 0 })
  await send()
  expect(attributesOf).toEqual([`connect ECONNREFUSED 127.0.0.1:${port}`])
  await using _collector = await openOtlpReceiver({ port })
  await send()
  await send()
  expect(attributesOf).toEqual([`connect ECONNREFUSED 127.0.0.1:${port}`, undefined])
})
