/** What a body can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** One answer before it is sent. A text body is sent as it is, anything else as JSON. */
export type Answer = Readonly<{
  status: number
  headers?: Readonly<Record<string, string>>
  body: Json
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

export const ok = (body: Json): Answer => ({ status: 200, body })

/** Runs what may refuse. */
export function answered(work: () => Answer): Answer {
  try {
    return work()
  } catch (error) {
    if (error instanceof RefusedRequest) return error.answer
    throw error
  }
}
