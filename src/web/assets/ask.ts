// Requests to the daemon: each has a timeout, and what the page was sent with is not requested again.
import type { ApiAnswers } from '../api-answers.ts'
import { brought } from './brought.ts'

type Failure = Readonly<{ error: string }>
type Path = keyof ApiAnswers
type Url<P extends Path> = P | `${P}?${string}`
/** Either has no fields of the other. */
export type Answer<P extends Path> =
  | (ApiAnswers[P] & { error?: never })
  | (Failure & { [K in keyof ApiAnswers[P]]?: never })

/** Below which path the daemon serves. */
export const base = document.documentElement.dataset.base ?? ''

const timeoutMs = 8_000

/** The answer as an object, as the page has brought it or as it is now; one with an error where nobody answers. */
export async function ask<P extends Path>(url: Url<P>): Promise<Answer<P>> {
  try {
    return ((await brought(url)) ?? (await fetchJson(url))) as Answer<P>
  } catch {
    return { error: 'The daemon does not answer.' } as Answer<P>
  }
}

export async function fetchJson(url: string): Promise<unknown> {
  const answer = await fetch(`${base}${url}`, { signal: AbortSignal.timeout(timeoutMs) })
  return answer.json()
}
