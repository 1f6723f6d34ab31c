import { z } from 'zod'
import type { HttpAnswer } from '../../http/request.ts'
import { minute } from '../../market/instant.ts'
import { errorBody } from './error-body.ts'
import type { ErrorTable, SourceError } from './error-table.ts'

const body = z.union([
  z.object({ error: z.unknown() }).transform(({ error }) => ({ code: '', message: textOf(error) })),
  z
    .object({
      status: z.literal('error'),
      reason: z.unknown().optional(),
      code: z.unknown().optional(),
      response_code: z.unknown().optional(),
    })
    .transform(({ reason, code, response_code }) => ({
      code: String(response_code ?? code ?? ''),
      message: textOf(reason),
    })),
])

/** Reasons may be an object by field, including `__all__`. */
const textOf = (reason: unknown): string =>
  typeof reason === 'string' ? reason : (JSON.stringify(reason) ?? '')

/** The longer window. */
export const bitstampWindowMs = 10 * minute

function read(answer: HttpAnswer): SourceError | undefined {
  // May be HTML or JSON.
  if (answer.status === 404) return { code: 'HTTP 404', message: answer.text }
  return body.safeParse(errorBody(answer)).data
}

// https://www.bitstamp.net/api/#section/Response-codes
/** `{"error":"…"}` or `{"status":"error","reason":…,"code":"…"}`. */
export const bitstampErrors: ErrorTable = {
  source: 'bitstamp',
  read,
  codes: {
    // Only a path can be unknown.
    'HTTP 404': [[/not found|invalid|unknown/i, 'unknown-market']],
    // Limits per address, client or market.
    '400.002': 'wait',
    '400.067': 'wait',
    '400.068': 'wait',
    '400.001': [
      [/"(?:step|limit|start|end|exclude_current_candle)"/i, 'refused'],
      [/"(?:pair|market|market_symbol)"/i, 'unknown-market'],
    ],
  },
  unrelated: [/^API\d+$/],
  messages: [
    [/"(?:step|limit|start|end|exclude_current_candle)"/i, 'refused'],
    [
      /permission|authenticat|signature|nonce|api key|\bapi\b|order|balance|\bprice\b|verified|currency of|enough|offset|minimum|\bbuy\b|\bsell\b|account|address|frozen|post-only|post_only/i,
      'unrelated',
    ],
  ],
  // Neither duration nor limit is reported.
  limit: { windowMs: bitstampWindowMs },
}
