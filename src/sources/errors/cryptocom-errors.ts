import { z } from 'zod'
import { second } from '../../market/instant.ts'
import { errorBody, optionalText, writtenCode } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.object({ code: writtenCode, message: optionalText })

// https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#response-and-reason-codes
/** `{"id":-1,"method":"…","code":40004,"message":"…"}`, usually with a matching status. */
export const cryptocomErrors: ErrorTable = {
  source: 'cryptocom',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    return data === undefined || data.code === '0' ? undefined : { code: data.code, message: data.message }
  },
  codes: {
    '10001': 'retry',
    '10004': 'refused',
    '10006': 'wait',
    '10008': 'refused',
    '10009': 'refused',
    '30003': 'unknown-market',
    '40001': [
      [/instrument/i, 'unknown-market'],
      [/^(?:BAD_REQUEST)?$|timeframe|count|_ts\b/i, 'refused'],
    ],
    '40002': 'refused',
    '40003': 'refused',
    // Any argument; without a message for an unknown instrument.
    '40004': [
      [/timeframe|count|_ts\b/i, 'refused'],
      [/instrument|^(?:BAD_REQUEST)?$/i, 'unknown-market'],
    ],
    '40005': 'refused',
    '40006': 'refused',
    '40007': 'refused',
    '40801': 'retry',
    '42901': 'wait',
    '50001': 'retry',
    '9010001': 'retry',
  },
  unrelated: [
    // Orders.
    /^(?:\d{3}|300\d\d|404\d\d|43\d{3}|6\d{5})$/,
    // Keys, accounts, balances, sockets.
    /^(?:100\d\d|200\d\d|401\d\d|41\d{3})$/,
  ],
  // Duration is never reported.
  limit: { windowMs: second },
}
