import { Banned, Blocked, type Fault, RateLimited, Unavailable, UnknownError } from '../fault.ts'
import { minute, second } from '../market/instant.ts'
import type { HttpAnswer, HttpRequest } from './request.ts'
import { retryAfterMs } from './retry-after.ts'

const defaultWaitMs = minute

/**
 * The fault of an answer of which only the HTTP status is understood. None but 451 is final: a proxy, a firewall or a
 * maintenance page may send any of the others for a while.
 */
export function faultOfStatus(
  { source, path }: Pick<HttpRequest, 'source' | 'path'>,
  answer: HttpAnswer,
): Fault | undefined {
  const { status } = answer
  if (status >= 200 && status < 300) return undefined
  const waitMs = retryAfterMs(answer) ?? defaultWaitMs
  if (status === 429)
    return new RateLimited(`${source} rate-limits this address for ${waitMs / second} s (HTTP 429)`, waitMs)
  // Binance answers 418 to an address that went on asking after a 429; 403 is its firewall, and other sources' limit.
  if (status === 418 || status === 403)
    return new Banned(`${source} has banned this address for ${waitMs / second} s (HTTP ${status})`, waitMs)
  if (status >= 500 || status === 408)
    return new Unavailable(`${source} answered ${path} with HTTP ${status}`)
  if (status === 451) return new Blocked(`${source} does not serve this region (HTTP 451)`)
  if (status >= 300 && status < 400)
    return new UnknownError(
      `${source} redirected ${path} to another address (HTTP ${status}); Beacon Ingest goes to no other address`,
    )
  return new UnknownError(`${source} answered ${path} with HTTP ${status} and no error that is known here`)
}
