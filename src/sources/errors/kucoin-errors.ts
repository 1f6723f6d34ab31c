import { z } from 'zod'
import { minute, second } from '../../market/instant.ts'
import { errorBody, optionalText, writtenCode } from './error-body.ts'
import type { ErrorTable, KindByPattern } from './error-table.ts'

const body = z.object({ code: writtenCode, msg: optionalText })

const successes: readonly string[] = ['200', '200000']

/** Any parameter, named in the message. */
const byParameter: KindByPattern = [
  [/\b(?:trading pair|symbol)\b/i, 'unknown-market'],
  [/\b(?:candlestick type|type|startAt|endAt)\b/i, 'refused'],
]

/** Also the firewall's block. */
export const kucoinWindowMs = 30 * second

// https://www.kucoin.com/docs-new/error-code and https://www.kucoin.com/docs-new/rate-limit
/** `{"code":"400100","msg":"…"}`, often HTTP 200; HTML comes from the firewall. */
export const kucoinErrors: ErrorTable = {
  source: 'kucoin',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    if (data !== undefined)
      return successes.includes(data.code) ? undefined : { code: data.code, message: data.msg }
    return answer.status === 403 && !/^\s*\{/.test(answer.text)
      ? { code: 'HTTP 403', message: '' }
      : undefined
  },
  codes: {
    'HTTP 403': 'banned',
    '400': byParameter,
    '403': 'retry',
    '404': 'refused',
    '405': 'refused',
    '415': 'refused',
    '429': 'wait',
    '500': 'retry',
    '503': 'retry',
    '400000': byParameter,
    '400100': byParameter,
    '400302': 'blocked',
    '400400': byParameter,
    '400600': 'unknown-market',
    '401000': 'refused',
    '404000': 'refused',
    '408000': 'retry',
    '415000': 'refused',
    '429000': 'wait',
    '500000': 'retry',
    '503000': 'retry',
    '900001': 'unknown-market',
  },
  unrelated: [
    // Orders, margin, lending.
    /^(?:1\d{5}|2\d{5}|3\d{5})$/,
    // Keys, accounts, withdrawals, orders.
    /^(?:401|4000(?:0[1-9]|\d\d)|400[1-7]\d\d|411\d{3}|600\d{3}|9000\d\d)$/,
  ],
  messages: [
    [/^unsupported trading pair/i, 'unknown-market'],
    // Orders, withdrawals.
    [
      /withdrawal amount|amount increment|given range|order size|balance insufficient|\border\b|pageSize/i,
      'unrelated',
    ],
  ],
  limit: {
    windowMs: kucoinWindowMs,
    longestMs: 20 * minute,
    // Ms until the window restarts.
    leftMs: ({ headers }) => {
      const reset = headers['gw-ratelimit-reset']
      return reset !== undefined && /^\d{1,6}$/.test(reset) ? Number(reset) : undefined
    },
  },
  ban: { ms: kucoinWindowMs },
}
