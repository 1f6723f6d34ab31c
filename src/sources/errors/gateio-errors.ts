import { z } from 'zod'
import { minute, second } from '../../market/instant.ts'
import { errorBody, optionalText } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.object({ label: z.string(), message: optionalText, detail: optionalText })

/** The window of its limits. */
export const gateioWindowMs = 10 * second

// https://www.gate.com/docs/developers/apiv4/#label-list and https://www.gate.com/docs/developers/apiv4/#frequency-limit-rule
/** `{"label":"INVALID_CURRENCY_PAIR","message":"…"}`. */
export const gateioErrors: ErrorTable = {
  source: 'gateio',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    return data && { code: data.label, message: data.message || data.detail }
  },
  codes: {
    TOO_MANY_REQUESTS: 'wait',
    TOO_FAST: 'wait',
    SERVER_ERROR: 'retry',
    INTERNAL: 'retry',
    TOO_BUSY: 'retry',
    INVALID_CURRENCY_PAIR: 'unknown-market',
    // A delisted coin.
    INVALID_CURRENCY: 'unknown-market',
    // Any parameter, named in the message.
    INVALID_PARAM_VALUE: [
      [/too long ago/i, 'before-history'],
      [/too broad/i, 'range-too-long'],
      [/currency.?pair/i, 'unknown-market'],
      [/\b(?:interval|limit|from|to)\b/i, 'refused'],
      [/order/i, 'unrelated'],
    ],
    INVALID_PROTOCOL: 'refused',
    INVALID_ARGUMENT: 'refused',
    INVALID_REQUEST_BODY: 'refused',
    INVALID_CONTENT_TYPE: 'refused',
    MISSING_REQUIRED_PARAM: 'refused',
    METHOD_NOT_ALLOWED: 'refused',
    NOT_ACCEPTABLE: 'refused',
    NOT_FOUND: 'refused',
    // Not specific.
    BAD_REQUEST: 'retry',
    CONTRACT_NOT_FOUND: 'unrelated',
  },
  unrelated: [
    // Keys, accounts.
    /^(?:AUTHENTICATION|INVALID_(?:CREDENTIALS|KEY|SIGNATURE)|(?:IP_)?FORBIDDEN|READ_ONLY|REQUEST_EXPIRED|MISSING_REQUIRED_HEADER)/,
    /^(?:SUB_|CROSS_)?ACCOUNT_|^(?:USER|MIXED|ADDRESS|API_WITHDRAW|WITHDRAWAL|INVALID_WITHDRAW)_/,
    // Orders.
    /^(?:AMOUNT|BALANCE|CLIENT_ID|INSUFFICIENT|INVALID_PRECISION|ORDER|POC|PRICE|QUANTITY|REPEATED|SIZE|TOO_MANY_(?:CURRENCY|ORDERS)|TRADE)/,
    // Loans, margin, futures.
    /^(?:AUTO|CONTRACT|FUTURES|INCREASE|LEVERAGE|LIQUIDATE|LOAN|MARGIN|NOT_MERGEABLE|NO_|POSITION|REMOVE|REPAY|RISK|TOO_MUCH)/,
  ],
  // From ccxt.
  messages: [[/^your order size/i, 'unrelated']],
  limit: {
    windowMs: gateioWindowMs,
    longestMs: minute,
    // Optional, in seconds.
    leftMs: ({ headers, answeredAt }) => {
      const reset = headers['x-gate-ratelimit-reset-timestamp']
      return reset !== undefined && /^[1-9]\d{9}$/.test(reset)
        ? Number(reset) * second - answeredAt
        : undefined
    },
  },
}
