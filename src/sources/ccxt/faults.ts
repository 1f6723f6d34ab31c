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

/** How long to wait where an exchange says in words that we ask too much, and not for how long. */
const defaultWaitMs = minute

/** The status says these better than words: for how long, and whether another host may do. */
const reportedByStatus = [403, 418, 429, 451]

/** The fault that an answer stands for in the words of its exchange, as the library knows them. */
export function faultInAnswer(
  id: CcxtSourceId,
  opened: OpenedExchange,
  { status, headers, text }: HttpAnswer,
): Fault | undefined {
  if (reportedByStatus.includes(status)) return undefined
  const fault = faultOf(id, opened, wordsThrown(id, opened, { status, headers, text }))
  // A source in trouble may say anything.
  return status >= 500 && fault?.remedy === 'give-up' ? undefined : fault
}

/** What the library throws at the answer, if anything. */
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
    // A body of no known shape is judged by whoever reads it.
    return error instanceof library.BaseError ? error : undefined
  }
  return undefined
}

/** The fault that an error of the library stands for; undefined for what is not one of its own. */
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
  // Its tables know the codes that we have not, but not what an exchange says under a code that it has for everything.
  const worded = kindByWording(said)
  if (worded === 'wait') return new RateLimited(message, defaultWaitMs)
  if (worded === 'retry') return new Unavailable(message)
  if (isOf(library.BadSymbol)) return new UnknownMarket(message)
  const isFinal = isOf(library.BadRequest, library.ArgumentsRequired, library.NotSupported)
  return isFinal || isOf(library.AuthenticationError) ? new Refused(message) : new UnknownError(message)
}
