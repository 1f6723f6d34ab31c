import { AsyncLocalStorage } from 'node:async_hooks'
import { Aborted } from '../fault.ts'

/** What a span tells of its work, by OpenTelemetry's names where it has any. What is undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

export type SpanDetails = Readonly<{
  /** Which end of a conversation it is; `internal` talks to nobody. */
  kind?: 'internal' | 'client' | 'producer' | 'consumer'
  attributes?: Attributes
  /** When it began, in epoch milliseconds, where that is not now. */
  at?: number
}>

/** A stretch of a traced job's work. */
export type Span = Readonly<{
  /** As log lines name it. */
  ids: Readonly<{ trace_id: string; span_id: string }>
  hasEnded(): boolean
  /** Begins a stretch within this one. */
  begin(name: string, details?: SpanDetails): Span
  annotate(attributes: Attributes): void
  fail(error: unknown): void
  end(at?: number): void
}>

/** Where traces begin. There is none where nobody wants any. */
export type Tracer = Readonly<{
  /**
   * The first span of the trace that the key stands for: the same on every machine and however often it is begun. Undefined
   * where this trace is not to be kept. `cause` is the traceparent of what brought it about.
   */
  root(key: string, name: string, details: SpanDetails & Readonly<{ cause?: string }>): Span | undefined
}>

const underway = new AsyncLocalStorage<Span>()

/** The span of the traced job that the caller works for; undefined elsewhere, and once it has ended. */
export function currentSpan(): Span | undefined {
  const span = underway.getStore()
  return span?.hasEnded() ? undefined : span
}

/** Makes it the current span of the work, and of all that the work calls. */
export const underSpan = <T>(span: Span | undefined, work: () => T): T =>
  span ? underway.run(span, work) : work()

const toNobody = (): void => undefined

/**
 * Does the work as a stretch of the current span, with what it throws as its failure; being told to stop is none. Where there
 * is no current span, only does the work.
 */
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
