import { hostname } from 'node:os'
import { type Link, ROOT_CONTEXT, TraceFlags } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { second } from '../market/instant.ts'
import type { Log } from '../runtime/log.ts'
import type { Releases } from '../runtime/release.ts'
import type { Tracer } from '../runtime/trace.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import { within } from '../runtime/within.ts'
import { ForeseenIds } from './foreseen-ids.ts'
import { optionsOf, spanOf } from './span.ts'
import { tellingExporter } from './telling-exporter.ts'

/** Including retries; bounds the delay of a stop. */
const sendLimitMs = 3 * second

type Surroundings = Readonly<{ url: string; version: string; log: Log }>

/**
 * OTLP over HTTP. The SDK reads OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER and OTEL_RESOURCE_ATTRIBUTES itself.
 */
export function openTracer({ url, version, log }: Surroundings, releases: Releases): Tracer {
  const collector = new URL(url).host
  const annotate = (failure: Error | undefined) => {
    if (failure) log.warn('traces.not-sent', { collector, reason: reasonOf(failure) })
    else log.info('traces.sent-again', { collector })
  }
  const exporter = tellingExporter(new OTLPTraceExporter({ url, timeoutMillis: sendLimitMs }), annotate)
  const ids = new ForeseenIds()
  const provider = new BasicTracerProvider({
    resource: resourceOf(version),
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor(exporter)],
  })
  releases.push(() => flush(provider, log))
  const tracer = provider.getTracer('beacon-ingest', version)
  return {
    root: (key, name, { cause, ...details }) => {
      const options = { ...optionsOf(details), root: true, links: linksTo(cause) }
      const span = ids.foreseeing(key, () => tracer.startSpan(name, options, ROOT_CONTEXT))
      return span.isRecording() ? spanOf(tracer, span) : undefined
    },
  }
}

const resourceOf = (version: string) =>
  resourceFromAttributes({
    'service.name': 'beacon-ingest',
    'service.version': version,
    'host.name': hostname(),
    'process.pid': process.pid,
  }).merge(detectResources({ detectors: [envDetector] }))

/** Queue content is untrusted. */
function linksTo(traceparent: string | undefined): Link[] {
  const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined) return []
  return [{ context: { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true } }]
}

/** Errors must not hide the work's result. */
async function flush(provider: BasicTracerProvider, log: Log): Promise<void> {
  try {
    await within(
      sendLimitMs,
      provider.shutdown(),
      `the collector did not answer within ${sendLimitMs / second} s`,
    )
  } catch (error) {
    log.warn('traces.not-sent', { reason: reasonOf(error) })
  }
}
