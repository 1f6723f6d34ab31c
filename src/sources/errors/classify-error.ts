import {
  Banned,
  BeforeHistory,
  Blocked,
  type Fault,
  Misconfigured,
  RangeTooLong,
  RateLimited,
  Refused,
  Unavailable,
  UnknownError,
  UnknownMarket,
} from '../../fault.ts'
import type { HttpAnswer } from '../../http/request.ts'
import { retryAfterMs } from '../../http/retry-after.ts'
import { minute, second } from '../../market/instant.ts'
import type { ErrorKind, ErrorTable, KindByPattern, SourceError } from './error-table.ts'
import { kindByWording } from './wording.ts'

/** Code kinds that override wording. */
const unmistakable: readonly ErrorKind[] = ['wait', 'banned', 'blocked', 'misconfigured']

/** By table and wording; undefined if unknown. */
export function kindOf(table: ErrorTable, error: SourceError): ErrorKind | undefined {
  const declared = declaredKind(table, error)
  if (declared !== undefined && unmistakable.includes(declared)) return declared
  return kindByWording(`${error.code} ${error.message}`) ?? declared
}

export function declaredKind(
  { codes = {}, unrelated = [], messages = [] }: ErrorTable,
  { code, message }: SourceError,
): ErrorKind | undefined {
  const byCode = Object.hasOwn(codes, code) ? codes[code] : undefined
  if (byCode !== undefined) return typeof byCode === 'string' ? byCode : kindIn(byCode, message)
  return unrelated.some((pattern) => pattern.test(code)) ? 'unrelated' : kindIn(messages, message)
}

const kindIn = (kinds: KindByPattern, text: string): ErrorKind | undefined =>
  kinds.find(([pattern]) => pattern.test(text))?.[1]

/** Kinds trusted from server errors and 403. */
const whenTurnedAway: readonly ErrorKind[] = ['banned', 'misconfigured', 'blocked']
const whenInTrouble: readonly ErrorKind[] = ['wait', 'retry', ...whenTurnedAway]

/**
 * The fault of an answer by the source's table; undefined without an error, or if only the status is known. Unknown
 * errors become UnknownError: retried, never final.
 */
export function classifyError(table: ErrorTable, answer: HttpAnswer): Fault | undefined {
  const { status } = answer
  // The region's message may sound like an outage.
  if (status === 451) return undefined
  const error = table.read(answer)
  const found = error === undefined ? undefined : kindOf(table, error)
  const kind = status === 429 && found !== 'banned' ? 'wait' : found
  if (kind === undefined && error === undefined) return undefined
  if (!isTrusted(table, status, kind)) return undefined
  return faultOf(table, kind ?? 'unrelated', answer, error)
}

function isTrusted({ clientStatuses }: ErrorTable, status: number, kind: ErrorKind | undefined): boolean {
  const isTurnedAway = status === 403 || status === 418
  if ((status < 500 && !isTurnedAway) || clientStatuses?.includes(status)) return true
  return kind !== undefined && (isTurnedAway ? whenTurnedAway : whenInTrouble).includes(kind)
}

function faultOf(
  table: ErrorTable,
  kind: ErrorKind,
  answer: HttpAnswer,
  error: SourceError | undefined,
): Fault {
  const { source } = table
  const said = error === undefined ? `HTTP ${answer.status}` : wordsOf(error)
  switch (kind) {
    case 'wait': {
      const waitMs = retryAfterMs(answer) ?? limitLeftMs(table, answer, error)
      const text = `${source} rate-limits this address for ${Math.ceil(waitMs / second)} s (${said})`
      return new RateLimited(text, waitMs)
    }
    case 'banned': {
      const waitMs = retryAfterMs(answer) ?? Math.max(table.ban?.leftMs?.(answer) ?? banMs(table), second)
      return new Banned(
        `${source} has banned this address for ${Math.ceil(waitMs / second)} s (${said})`,
        waitMs,
      )
    }
    case 'retry':
      return new Unavailable(`${source} is unavailable: ${said}`)
    case 'unrelated':
      return new UnknownError(`${source} returned an error that is not known here: ${said}`)
    case 'before-history':
      return new BeforeHistory(`${source} has no candles from so far back: ${said}`)
    case 'range-too-long':
      return new RangeTooLong(`${source} rejected the length of the range: ${said}`)
    case 'unknown-market':
      return new UnknownMarket(`${source} has no such market (${said})`)
    case 'refused':
      return new Refused(`${source} rejected the request: ${said}`)
    case 'misconfigured':
      return new Misconfigured(
        `${source} rejected the request: ${said}${table.remedy ? `: ${table.remedy}` : ''}`,
      )
    case 'blocked':
      return new Blocked(`${source} does not serve this region (${said})`)
    default:
      return kind satisfies never
  }
}

function limitLeftMs({ limit }: ErrorTable, answer: HttpAnswer, error: SourceError | undefined): number {
  const { windowMs, longestMs = minute, leftMs } = limit
  const left = leftMs?.(answer, error)
  return left === undefined ? windowMs : Math.min(Math.max(left, second), longestMs)
}

const banMs = ({ ban }: ErrorTable): number => ban?.ms ?? minute

const longestMessage = 200
const longestCode = 60

/** Truncated. */
function wordsOf({ code, message }: SourceError): string {
  const words = message.replaceAll(/\s+/g, ' ').trim().slice(0, longestMessage)
  const shortCode = code.slice(0, longestCode)
  if (words === '' || words === shortCode || code === message) return words || shortCode || 'without a reason'
  return shortCode === '' ? words : `${words} (${shortCode})`
}
