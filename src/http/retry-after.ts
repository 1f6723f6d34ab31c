import { second } from '../market/instant.ts'
import type { HttpAnswer } from './request.ts'

/** Seconds, or a date by the source's clock; in ms. */
export function retryAfterMs({
  headers,
  answeredAt,
}: Pick<HttpAnswer, 'headers' | 'answeredAt'>): number | undefined {
  const text = headers['retry-after']
  if (text === undefined) return undefined
  const seconds = Number(text)
  const ms = Number.isFinite(seconds) ? seconds * second : Date.parse(text) - answeredAt
  return Number.isFinite(ms) ? Math.max(ms, second) : undefined
}
