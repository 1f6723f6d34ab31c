import { z } from 'zod'
import { errorBody, optionalText, writtenCode } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.object({ code: writtenCode.optional(), msg: optionalText })

// https://developers.binance.com/docs/binance-spot-api-docs/errors
/** `{"code":-1121,"msg":"Invalid symbol."}`, mostly HTTP 400. */
export const binanceErrors: ErrorTable = {
  source: 'binance',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    // Its body has the rate limit's code.
    if (answer.status === 418) return { code: 'HTTP 418', message: data?.msg ?? '' }
    return data?.code === undefined && !data?.msg ? undefined : { code: data.code ?? '', message: data.msg }
  },
  codes: {
    'HTTP 418': 'banned',
    '-1000': 'retry',
    '-1001': 'retry',
    '-1003': 'wait',
    '-1004': 'retry',
    '-1006': 'retry',
    '-1007': 'retry',
    '-1008': 'retry',
    '-1010': 'retry',
    // Also for order filters.
    '-1013': 'unrelated',
    '-1014': 'unrelated',
    '-1015': 'wait',
    '-1016': 'retry',
    '-1020': 'refused',
    // Parameter errors.
    '-1100': 'refused',
    '-1101': 'refused',
    '-1102': 'refused',
    '-1103': 'refused',
    '-1104': 'refused',
    '-1105': 'refused',
    '-1106': 'refused',
    '-1120': 'refused',
    '-1128': 'refused',
    '-1130': 'refused',
    '-1151': 'refused',
    '-1121': 'unknown-market',
    // A halted market.
    '-1220': 'unknown-market',
    '-1127': 'range-too-long',
    // "Service unavailable from a restricted location …"
    '0': [[/restricted location/i, 'blocked']],
    // "System is under maintenance."
    '1': 'retry',
  },
  unrelated: [
    // Order parameters.
    /^-11\d\d$/,
    // Keys, clocks.
    /^-10(?:02|2[12]|99)$/,
    // Orders, margin, withdrawals, savings, loans, sub-accounts.
    /^-(?:[2-9]\d{3}|[12]\d{4}|32603)$/,
    /^\d{6,}$/,
  ],
  messages: [
    // Orders.
    [
      /^(?:market is closed|order would|limit orders? require|this order type|rest api trading|account has)/i,
      'unrelated',
    ],
  ],
  limit: { windowMs: 60_000 },
  ban: {
    ms: 60_000,
    // Without Retry-After only the text has the end; earlier requests extend the ban.
    leftMs: ({ text, answeredAt }) => {
      const until = /banned until (\d{13})\b/.exec(text)?.[1]
      return until === undefined ? undefined : Number(until) - answeredAt
    },
  },
}
