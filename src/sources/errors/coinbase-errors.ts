import { z } from 'zod'
import { second } from '../../market/instant.ts'
import { errorBody } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.object({ message: z.string() })

// https://docs.cdp.coinbase.com/exchange/rest-api/requests and https://docs.cdp.coinbase.com/exchange/rest-api/rate-limits
/** `{"message":"NotFound"}` with a matching status, no codes; 429 may be plain text. */
export const coinbaseErrors: ErrorTable = {
  source: 'coinbase',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    return data && { code: '', message: data.message }
  },
  messages: [
    [/^not ?found$/i, 'unknown-market'],
    [/exceeds 300\b|granularity too small/i, 'range-too-long'],
    [/^end is too old/i, 'before-history'],
    [/^unsupported granularity|^invalid (?:granularity|start|end)\b|^start must be before end/i, 'refused'],
    [/^cancel only mode/i, 'retry'],
    [
      /\border\b|^product not found|^insufficient funds|^invalid (?:api key|signature|passphrase)|^trading pair not available|^(?:price|size) (?:is )?too /i,
      'unrelated',
    ],
  ],
  // The window is a second; longer for shared addresses.
  limit: { windowMs: 5 * second },
}
