import {
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { Fault } from '../fault.ts'
import { withoutSecrets } from '../runtime/redaction.ts'
import type { Attributes, Span, SpanDetails } from '../runtime/trace.ts'

/** Without secrets. */
export function spanOf(tracer: OtelTracer, span: OtelSpan): Span {
  const { traceId, spanId } = span.spanContext()
  const context = trace.setSpan(ROOT_CONTEXT, span)
  return {
    ids: { trace_id: traceId, span_id: spanId },
    hasEnded: () => !span.isRecording(),
    begin: (name, details = {}) => spanOf(tracer, tracer.startSpan(name, optionsOf(details), context)),
    annotate: (attributes) => {
      span.setAttributes(attributesOf(attributes))
    },
    fail: (thrown) => {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      const message = withoutSecrets(error.message)
      span.setAttribute('error.type', error instanceof Fault ? error.code : error.name)
      span.recordException({ name: error.name, message, stack: withoutSecrets(error.stack ?? '') })
      span.setStatus({ code: SpanStatusCode.ERROR, message })
    },
    end: (at) => span.end(at),
  }
}

const kinds = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const

export const optionsOf = ({ kind = 'internal', attributes = {}, at }: SpanDetails): SpanOptions => ({
  kind: kinds[kind],
  attributes: attributesOf(attributes),
  ...(at === undefined ? {} : { startTime: at }),
})

const attributesOf = (attributes: Attributes): Record<string, string | number | boolean> =>
  Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'string' ? withoutSecrets(value) : value]],
    ),
  )
