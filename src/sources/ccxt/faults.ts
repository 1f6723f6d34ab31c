import {
  Blocked,
  type Fault,
  Malformed,
  RateLimited,
  Refused,
  Unavailable,
  UnknownError,
  UnknownMarket,
} from '../../fault.ts'
import type { HttpAnswer } from '../../http/request.ts'
import { minute } from '../../market/instant.ts'
import type { CcxtSourceId } from '../../settings/source-ids.ts'
import { parseEitherJson } from '../decoding/json.ts'
import { kindByWording } from '../errors/wording.ts'
import type { OpenedExchange } from './library.ts'

/** When the exchange names no duration. */
const defaultWaitMs = minute

/** Handled by status, which has duration and region. */
const reportedByStatus = [403, 418, 429, 451]

/** The fault of an answer by ccxt's error tables. */
export function faultInAnswer(
  id: CcxtSourceId,
  opened: OpenedExchange,
  { status, headers, text }: HttpAnswer,
): Fault | undefined {
  if (reportedByStatus.includes(status)) return undefined
  const fault = faultOf(id, opened, wordsThrown(id, opened, { status, headers, text }))
  // Server errors are never final.
  return status >= 500 && fault?.remedy === 'give-up' ? undefined : fault
}

function wordsThrown(
  id: CcxtSourceId,
  { library, exchange }: OpenedExchange,
  { status, headers, text }: Pick<HttpAnswer, 'status' | 'headers' | 'text'>,
): Error | undefined {
  let body: unknown
  try {
    body = parseEitherJson(id, text)
    exchange.handleErrors(status, '', '', 'GET', headers, text, body, {}, '')
  } catch (error) {
    // Unknown shapes are left to the parser.
    return error instanceof library.BaseError ? error : undefined
  }
  return undefined
}

/** Undefined for errors that are not ccxt's. */
export function faultOf(
  id: CcxtSourceId,
  { library, exchange }: OpenedExchange,
  error: unknown,
): Fault | undefined {
  if (!(error instanceof library.BaseError)) return undefined
  const said = error.message.replace(new RegExp(`^${exchange.id} `), '').replaceAll(/\s+/g, ' ')
  const message = `${id} says: ${said.slice(0, 200)}`
  const isOf = (...kinds: readonly (typeof library.BaseError)[]) =>
    kinds.some((kind) => error instanceof kind)
  if (isOf(library.RateLimitExceeded, library.DDoSProtection)) return new RateLimited(message, defaultWaitMs)
  if (isOf(library.RestrictedLocation)) return new Blocked(message)
  if (isOf(library.OperationFailed)) {
    return isOf(library.BadResponse) ? new Malformed(message) : new Unavailable(message)
  }
  // ccxt knows codes, but catch-all codes need the wording.
  const worded = kindByWording(said)
  if (worded === 'wait') return new RateLimited(message, defaultWaitMs)
  if (worded === 'retry') return new Unavailable(message)
  if (isOf(library.BadSymbol)) return new UnknownMarket(message)
  const isFinal = isOf(library.BadRequest, library.ArgumentsRequired, library.NotSupported)
  return isFinal || isOf(library.AuthenticationError) ? new Refused(message) : new UnknownError(message)
}
