import { type Instant, plus } from '../../market/instant.ts'
import { type Answer, toJson } from '../answer.ts'
import type { Endpoint, EndpointLimit } from '../endpoint.ts'
import { isPriceFault, withPriceFault } from '../tickers/price-faults.ts'
import type { InjectedFault } from './injected-fault.ts'
import { injectIntoRows, withRows } from './row-faults.ts'

/** The query after a fault. */
export function injectIntoQuery(
  fault: InjectedFault | undefined,
  query: URLSearchParams,
  { candles }: Endpoint,
): URLSearchParams {
  const heard = new URLSearchParams(query)
  if (fault?.name === 'ignored-start' && candles?.fromParameter) heard.delete(candles.fromParameter)
  return heard
}

/** Context of a fault. */
export type Liar = Readonly<{
  now: Instant
  endpoint: Endpoint
  limit: EndpointLimit
  path: string
  query: URLSearchParams
}>

export function injectIntoAnswer(fault: InjectedFault | undefined, truth: Answer, liar: Liar): Answer {
  if (!fault) return truth
  const inPlaceOf = otherAnswer(fault, liar)
  if (inPlaceOf) return inPlaceOf
  if (truth.status !== 200) return truth
  if (isPriceFault(fault)) return { ...truth, body: withPriceFault(fault, toJson(truth.body), liar) }
  return {
    ...truth,
    body:
      withRows(toJson(truth.body), (rows) => injectIntoRows(fault, rows, liar.endpoint.candles, liar.now)) ??
      truth.body,
  }
}

/** The answer over the limit. */
export const refusal = (
  decision: 'refused' | 'banned',
  retryAt: Instant,
  { endpoint, limit, now }: Liar,
): Answer => endpoint.refuse(decision, retryAt, limit, now)

const page = (status: number, heading: string): Answer => ({
  status,
  body: `<!DOCTYPE html><html><body><h1>${heading}</h1></body></html>`,
})

function otherAnswer(fault: InjectedFault, liar: Liar): Answer | undefined {
  switch (fault.name) {
    case 'rate-limited':
      return refusal('refused', plus(liar.now, 1_000 * fault.retryAfterSeconds), liar)
    case 'banned':
      return refusal('banned', plus(liar.now, 1_000 * fault.retryAfterSeconds), liar)
    case 'server-error':
      return (
        liar.endpoint.unavailable?.(fault.status) ?? page(fault.status, 'Service Temporarily Unavailable')
      )
    case 'firewall':
      return page(403, 'Request blocked')
    case 'region-refused':
      return liar.endpoint.regionRefused ?? page(451, 'Unavailable For Legal Reasons')
    case 'html':
      return page(200, 'We will be back soon')
    case 'error-answer':
      return { status: fault.status, body: fault.body }
    case 'redirect':
      return { status: 302, headers: { location: fault.to }, body: '' }
    default:
      return liar.endpoint.reportFault?.(fault, liar.path, liar.now)
  }
}
