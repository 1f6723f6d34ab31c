import { z } from 'zod'
import { minute } from '../../market/instant.ts'
import { errorBody } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.union([
  z
    .tuple([z.literal('error'), z.unknown(), z.unknown()])
    .rest(z.unknown())
    .transform(([, code, message]) => ({ code: String(code), message: String(message) })),
  z
    .object({ error: z.string(), code: z.unknown().optional() })
    .transform(({ error, code }) => ({ code: String(code ?? ''), message: error })),
  z.object({ message: z.string() }).transform(({ message }) => ({ code: '', message })),
])

// https://docs.bitfinex.com/docs/abbreviations-glossary#error--info-codes
/** `["error",10020,"symbol: invalid"]` or `{"error":"…"}`; client errors are HTTP 500. */
export const bitfinexErrors: ErrorTable = {
  source: 'bitfinex',
  read: (answer) => body.safeParse(errorBody(answer)).data,
  codes: {
    '11010': 'wait',
    '20060': 'retry',
    '503': 'retry',
    // Any parameter, named in the message.
    '10020': [
      [/^symbol\b/i, 'unknown-market'],
      [/^(?:start|end|limit|sort|time_interval|timeframe|symbols|from|path)\b/i, 'refused'],
    ],
  },
  // Keys, nonces, sockets.
  unrelated: [/^1\d{4}$/],
  messages: [
    [/^symbol: invalid/i, 'unknown-market'],
    [/balance|\border\b/i, 'unrelated'],
  ],
  clientStatuses: [500],
  // Blocks last up to this, without a header.
  limit: { windowMs: minute },
}
