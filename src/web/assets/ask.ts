// Requests with a timeout; initial data is not requested again.
import type { ApiAnswers } from '../api-answers.ts'
import { brought } from './brought.ts'

type Failure = Readonly<{ error: string }>
type Path = keyof ApiAnswers
type Url<P extends Path> = P | `${P}?${string}`
/** Either an answer or an error. */
export type Answer<P extends Path> =
  | (ApiAnswers[P] & { error?: never })
  | (Failure & { [K in keyof ApiAnswers[P]]?: never })

/** Base path. */
export const base = document.documentElement.dataset.base ?? ''

const timeoutMs = 8_000

/** From the initial data or the daemon; has `error` if it does not answer. */
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
