import { z } from 'zod'
import { minute, second } from '../../market/instant.ts'
import { errorBody, optionalText, writtenCode } from './error-body.ts'
import type { ErrorTable, KindByPattern } from './error-table.ts'

const body = z.union([
  z
    .object({ status: z.literal('error'), 'err-code': writtenCode, 'err-msg': optionalText })
    .transform((error) => ({ code: error['err-code'], message: error['err-msg'] })),
  z
    .object({ status: z.literal('error'), err_code: writtenCode, err_msg: optionalText })
    .transform(({ err_code, err_msg }) => ({ code: err_code, message: err_msg })),
  z
    .object({ code: writtenCode, message: optionalText })
    .transform(({ code, message }) => ({ code, message })),
])

const success = '200'

/** One code for all parameters and rate limits. */
const byParameter: KindByPattern = [
  [/symbol trade not open/i, 'retry'],
  [/symbol/i, 'unknown-market'],
  [/\b(?:period|size)\b/i, 'refused'],
  [/\b(?:from|to|start|end|date|time)\b/i, 'before-history'],
]

// https://huobiapi.github.io/docs/spot/v1/en/#error-code
/** `{"ts":…,"status":"error","err-code":"invalid-parameter","err-msg":"…"}` with HTTP 200. */
export const htxErrors: ErrorTable = {
  source: 'htx',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    return data?.code === success ? undefined : data
  },
  codes: {
    '429': 'wait',
    'base-request-exceed-frequency-limit': 'wait',
    'rate-too-many-requests': 'wait',
    'base-request-timeout': 'retry',
    'base-system-error': 'retry',
    'gateway-internal-error': 'retry',
    'order-update-error': 'retry',
    'system-maintenance': 'retry',
    timeout: 'retry',
    'bad-request': byParameter,
    'invalid-parameter': byParameter,
    'base-date-limit-error': 'before-history',
    'base-symbol-error': 'unknown-market',
    'base-symbol-trade-disabled': 'unknown-market',
    'require-symbol': 'refused',
    'validation-constraints-required': 'refused',
    'validation-format-error': 'refused',
  },
  unrelated: [
    // Contracts, keys, accounts.
    /^\d{3,4}$/,
    // Orders, withdrawals, accounts.
    /^(?:account|api|base|dw|order|invalid)-/,
  ],
  messages: [
    [/^invalid symbol/i, 'unknown-market'],
    [/^symbol trade not open/i, 'retry'],
    [/^contract is restricted of closing|^api key has no permission/i, 'unrelated'],
  ],
  limit: {
    windowMs: second,
    longestMs: minute,
    // Milliseconds.
    leftMs: ({ headers, answeredAt }) => {
      const end = headers['x-hb-ratelimit-requests-expire']
      return end !== undefined && /^[1-9]\d{12}$/.test(end) ? Number(end) - answeredAt : undefined
    },
  },
}
