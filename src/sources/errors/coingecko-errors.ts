import { z } from 'zod'
import { minute } from '../../market/instant.ts'
import { errorBody, optionalText, writtenCode } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const status = z.object({ error_code: writtenCode, error_message: optionalText })

const body = z.union([
  z.object({ status }).transform(({ status: error }) => error),
  status,
  z.object({ error: z.string() }).transform(({ error }) => ({ error_code: '', error_message: error })),
])

// https://docs.coingecko.com/docs/common-errors-rate-limit
/** `{"status":{"error_code":10002,"error_message":"…"}}` or `{"error":"…"}`; rate limits occur with HTTP 200. */
export const coingeckoErrors: ErrorTable = {
  source: 'coingecko',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    return data && { code: data.error_code, message: data.error_message }
  },
  codes: {
    '429': 'wait',
    // Missing key, or a key of another plan or host.
    '10002': 'misconfigured',
    '10005': 'misconfigured',
    '10010': 'misconfigured',
    '10011': 'misconfigured',
    // Older than the plan allows.
    '10012': 'refused',
    // Its firewall.
    '1020': 'banned',
  },
  messages: [
    [/^coin not found/i, 'unknown-market'],
    [/^invalid (?:vs_currency|parameter)|^missing parameter/i, 'refused'],
  ],
  limit: { windowMs: minute },
  ban: { ms: minute },
  remedy: 'set COINGECKO_API_KEY to a key of the demo plan, or leave it out',
}
