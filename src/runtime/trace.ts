import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import { Aborted } from '../fault.ts'

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

export type SpanDetails = Readonly<{
  /** `internal`: no remote side. */
  kind?: 'internal' | 'client' | 'producer' | 'consumer'
  attributes?: Attributes
  /** Epoch ms; defaults to now. */
  at?: number
}>

export type Span = Readonly<{
  /** Names in log lines. */
  ids: Readonly<{ trace_id: string; span_id: string }>
  hasEnded(): boolean
  begin(name: string, details?: SpanDetails): Span
  annotate(attributes: Attributes): void
  fail(error: unknown): void
  end(at?: number): void
}>

export type Tracer = Readonly<{
  /**
   * The root span of a key, the same on every machine; undefined if not sampled. `cause`: traceparent of the origin.
   */
  root(key: string, name: string, details: SpanDetails & Readonly<{ cause?: string }>): Span | undefined
}>

/** Of the root span of a key. */
export function foreseenIds(key: string): Readonly<{ traceId: string; spanId: string }> {
  const hash = createHash('sha256').update(key).digest('hex')
  return { traceId: hash.slice(0, 32), spanId: hash.slice(32, 48) }
}

const underway = new AsyncLocalStorage<Span>()

/** Undefined outside a traced job or after its end. */
export function currentSpan(): Span | undefined {
  const span = underway.getStore()
  return span?.hasEnded() ? undefined : span
}

export const underSpan = <T>(span: Span | undefined, work: () => T): T =>
  span ? underway.run(span, work) : work()

const toNobody = (): void => undefined

/** Runs work in a child span and records its failure, except aborts. Without a current span, just runs it. */
export async function inSpan<T>(
  name: string,
  details: SpanDetails,
  work: (annotate: Span['annotate']) => T | Promise<T>,
): Promise<T> {
  const span = currentSpan()?.begin(name, details)
  if (!span) return work(toNobody)
  try {
    return await underway.run(span, () => work(span.annotate))
  } catch (error) {
    if (!(error instanceof Aborted)) span.fail(error)
    throw error
  } finally {
    span.end()
  }
}

/** https://www.w3.org/TR/trace-context/#traceparent-header */
export const traceparentOf = ({ ids }: Span): string => `00-${ids.trace_id}-${ids.span_id}-01`
