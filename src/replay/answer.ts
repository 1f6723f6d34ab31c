import type { Instant } from '../market/instant.ts'

/** What a body can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | WrittenNumber
  | readonly Json[]
  | { readonly [key: string]: Json }

const mark = '\u0000number:'

/** A JSON number with exactly these digits, for the sources that send more of them than a double holds, or `1.8E-4`. */
export class WrittenNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** As text that toJsonText strips of its quotes. */
  toJSON(): string {
    return `${mark}${this.text}`
  }
}

const quotedNumber = new RegExp(`"${JSON.stringify(mark).slice(1, -1).replace('\\', '\\\\')}([^"]*)"`, 'g')

/** JSON that is written already: a page of candles is most of what is ever sent. */
export class WrittenJson {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** The body as it is sent. */
export const toJsonText = (body: Json | WrittenJson): string =>
  body instanceof WrittenJson ? body.text : JSON.stringify(body).replace(quotedNumber, '$1')

/** The body for who wants to look into it, or change it. */
export const toJson = (body: Json | WrittenJson): Json =>
  body instanceof WrittenJson ? JSON.parse(body.text) : body

/** One answer before it is sent. A text body is sent as it is, as HTML unless a header says otherwise; all else as JSON. */
export type Answer = Readonly<{
  status: number
  headers?: Readonly<Record<string, string>>
  body: Json | WrittenJson
  /** A file, sent in place of the body. */
  bytes?: Buffer
}>

/** One exchange's interface: what a GET of this path is answered at this instant, and what it costs. */
export type Route = Readonly<{
  answer: Answer
  /** In the units of the source's own limit. */
  weight: number
}>

/** A refusal that is thrown where it is found and answered where the request came in. */
export class RefusedRequest extends Error {
  readonly answer: Answer

  constructor(status: number, body: Json) {
    super(`refused with status ${status}`)
    this.answer = { status, body }
  }
}

export const ok = (body: Json | WrittenJson): Answer => ({ status: 200, body })

/** The header of a refusal that tells when to ask again: whole seconds, rounded up. */
export const retryAfter = (retryAt: Instant, now: Instant): Readonly<Record<string, string>> => ({
  'retry-after': String(Math.max(1, Math.ceil((retryAt - now) / 1_000))),
})

/** Runs what may refuse. */
export function answered(work: () => Answer): Answer {
  try {
    return work()
  } catch (error) {
    if (error instanceof RefusedRequest) return error.answer
    throw error
  }
}
