import { Banned, Blocked, type Fault, RateLimited, Unavailable, UnknownError } from '../fault.ts'
import { minute, second } from '../market/instant.ts'
import type { HttpAnswer, HttpRequest } from './request.ts'
import { retryAfterMs } from './retry-after.ts'

const defaultWaitMs = minute

/** The fault of a status. Only 451 is final: proxies, firewalls and maintenance pages send the others temporarily. */
export function faultOfStatus(
  { source, path }: Pick<HttpRequest, 'source' | 'path'>,
  answer: HttpAnswer,
): Fault | undefined {
  const { status } = answer
  if (status >= 200 && status < 300) return undefined
  const waitMs = retryAfterMs(answer) ?? defaultWaitMs
  if (status === 429)
    return new RateLimited(`${source} rate-limits this address for ${waitMs / second} s (HTTP 429)`, waitMs)
  // Binance: 418 after ignored 429s; 403 is its firewall, elsewhere a rate limit.
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
