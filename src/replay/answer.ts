import type { Instant } from '../market/instant.ts'

export type Json =
  | null
  | boolean
  | number
  | string
  | WrittenNumber
  | readonly Json[]
  | { readonly [key: string]: Json }

const mark = '\u0000number:'

/** A JSON number with exact digits, such as `1.8E-4`, beyond a double. */
export class WrittenNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** toJsonText removes the quotes. */
  toJSON(): string {
    return `${mark}${this.text}`
  }
}

const quotedNumber = new RegExp(`"${JSON.stringify(mark).slice(1, -1).replace('\\', '\\\\')}([^"]*)"`, 'g')

/** Pre-serialized JSON: candle pages are most of the traffic. */
export class WrittenJson {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** The response body. */
export const toJsonText = (body: Json | WrittenJson): string =>
  body instanceof WrittenJson ? body.text : JSON.stringify(body).replace(quotedNumber, '$1')

/** Parsed, for changing it. */
export const toJson = (body: Json | WrittenJson): Json =>
  body instanceof WrittenJson ? JSON.parse(body.text) : body

/** A text body is HTML unless a header says otherwise; others are JSON. */
export type Answer = Readonly<{
  status: number
  headers?: Readonly<Record<string, string>>
  body: Json | WrittenJson
  bytes?: Buffer
}>

/** The answer to a request and its weight. */
export type Route = Readonly<{
  answer: Answer
  /** In units of the source's limit. */
  weight: number
}>

/** Thrown to answer with a rejection. */
export class RefusedRequest extends Error {
  readonly answer: Answer

  constructor(status: number, body: Json) {
    super(`refused with status ${status}`)
    this.answer = { status, body }
  }
}

export const ok = (body: Json | WrittenJson): Answer => ({ status: 200, body })

/** Retry-After in whole seconds, rounded up. */
export const retryAfter = (retryAt: Instant, now: Instant): Readonly<Record<string, string>> => ({
  'retry-after': String(Math.max(1, Math.ceil((retryAt - now) / 1_000))),
})

/** Turns RefusedRequest into its answer. */
export function answered(work: () => Answer): Answer {
  try {
    return work()
  } catch (error) {
    if (error instanceof RefusedRequest) return error.answer
    throw error
  }
}
