import { createServer } from 'node:http'
import { z } from 'zod'

const attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) })

/** https://github.com/open-telemetry/opentelemetry-proto: what a collector is sent, as far as tests look at it. */
const exportRequest = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.number(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes: z.array(attribute),
              links: z.array(z.object({ traceId: z.string(), spanId: z.string() })),
              events: z.array(z.object({ name: z.string(), attributes: z.array(attribute) })),
              status: z.object({ code: z.number(), message: z.string().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
})

type Sent = z.infer<typeof exportRequest>['resourceSpans'][number]['scopeSpans'][number]['spans'][number]

export type ReceivedSpan = Readonly<{
  traceId: string
  spanId: string
  parentId: string | undefined
  name: string
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  startMs: number
  endMs: number
  attributes: Readonly<Record<string, unknown>>
  links: readonly Readonly<{ traceId: string; spanId: string }>[]
  exceptions: readonly Readonly<Record<string, unknown>>[]
  /** The message of its failure. */
  error: string | undefined
  resource: Readonly<Record<string, unknown>>
}>

/** A collector of traces: OTLP over HTTP, with JSON in its bodies. */
export type OtlpReceiver = Readonly<{
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string
  /** What has come so far, in the order it began. */
  spans(): ReceivedSpan[]
  /** The bodies as they came. */
  bodies: readonly string[]
  [Symbol.asyncDispose](): Promise<void>
}>

/** Opens a collector. */
export async function openOtlpReceiver({ port = 0 } = {}): Promise<OtlpReceiver> {
  const bodies: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const isTraces = request.method === 'POST' && request.url === '/v1/traces'
    if (isTraces) bodies.push(Buffer.concat(chunks).toString())
    response.writeHead(isTraces ? 200 : 404, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    bodies,
    spans: () => bodies.flatMap(spansOf).toSorted((a, b) => a.startMs - b.startMs),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const kinds = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const failed = 2

const spansOf = (body: string): ReceivedSpan[] =>
  exportRequest
    .parse(JSON.parse(body))
    .resourceSpans.flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) => spans.map((span) => received(span, valuesOf(resource.attributes)))),
    )

const received = (span: Sent, resource: Record<string, unknown>): ReceivedSpan => ({
  traceId: span.traceId,
  spanId: span.spanId,
  parentId: span.parentSpanId || undefined,
  name: span.name,
  kind: kinds[span.kind] ?? 'internal',
  startMs: msOf(span.startTimeUnixNano),
  endMs: msOf(span.endTimeUnixNano),
  attributes: valuesOf(span.attributes),
  links: span.links,
  exceptions: span.events
    .filter(({ name }) => name === 'exception')
    .map((event) => valuesOf(event.attributes)),
  error: span.status.code === failed ? (span.status.message ?? '') : undefined,
  resource,
})

/** Nanoseconds since 1970 are more than a number holds exactly. */
const msOf = (nanos: string): number => Number(BigInt(nanos) / 1_000n) / 1_000

/** A value stands in a record whose key is its type; numbers without a fraction may be text. */
const valuesOf = (attributes: readonly z.infer<typeof attribute>[]): Record<string, unknown> =>
  Object.fromEntries(
    attributes.map(({ key, value: { intValue, ...other } }) => [
      key,
      intValue === undefined ? Object.values(other)[0] : Number(intValue),
    ]),
  )

/** Each trace as an outline, two spaces a level, for people and for tests. */
export function outline(spans: readonly ReceivedSpan[], annotate: (span: ReceivedSpan) => string): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const below = (parent: ReceivedSpan): string[] =>
    spans
      .filter(({ parentId, traceId }) => parentId === parent.spanId && traceId === parent.traceId)
      .flatMap((span) => [annotate(span), ...below(span)].map((line) => `  ${line}`))
  return spans
    .filter(({ parentId }) => parentId === undefined || !ids.has(parentId))
    .flatMap((span) => [annotate(span), ...below(span)])
}
