import { z } from 'zod'
import { second } from '../../market/instant.ts'
import { errorBody, optionalText, writtenCode } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.object({ code: writtenCode, msg: optionalText, message: optionalText })

/** Success may have a code. */
const successes: readonly string[] = ['0', '200']

/** If the answer has no duration. */
export const mexcWindowMs = 10 * second

// https://mexcdevelop.github.io/apidocs/spot_v3_en/#error-code and https://mexcdevelop.github.io/apidocs/spot_v3_en/#limits
/** `{"code":-1121,"msg":"Invalid symbol."}`, mostly HTTP 400; bans only by status. */
export const mexcErrors: ErrorTable = {
  source: 'mexc',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    return data === undefined || successes.includes(data.code)
      ? undefined
      : { code: data.code, message: data.msg || data.message }
  },
  codes: {
    '429': 'wait',
    '510': 'wait',
    '500': 'retry',
    '501': 'retry',
    '503': 'retry',
    '504': 'retry',
    '513': 'retry',
    '604': 'retry',
    '801': 'retry',
    '11444': 'retry',
    '20002': 'retry',
    // "suspended transaction for the symbol"
    '30000': 'retry',
    '730000': 'retry',
    '400': [
      [/start time/i, 'before-history'],
      [/symbol/i, 'unknown-market'],
      [/\b(?:interval|limit|end time)\b/i, 'refused'],
    ],
    '-1121': [
      [/interval/i, 'refused'],
      [/symbol|^$/i, 'unknown-market'],
    ],
    '10007': 'unknown-market',
    '30021': 'unknown-market',
    // "Param error!" for any parameter.
    '600': 'retry',
    '601': 'refused',
    // Any parameter, and transfers.
    '33333': [[/^param/i, 'refused']],
    '404': 'refused',
    '-1100': 'refused',
    '-1102': 'refused',
    '-1128': 'refused',
    '700003': 'refused',
    '700004': 'refused',
    '700005': 'refused',
    '700007': 'refused',
    '700008': 'refused',
  },
  unrelated: [
    // Orders.
    /^-[12]\d{3}$/,
    // Keys, contracts, transfers, orders, sub-accounts, loans.
    /^(?:26|40[12356]|511|60[235]|70[1-4]|1\d{3}|2\d{3}|10\d{3}|14\d{4}|20001|22222|3\d{4}|44444|60005)$/,
    /^(?:7000\d\d|70011|73\d{4}|880\d\d)$/,
  ],
  messages: [
    [/^invalid symbol/i, 'unknown-market'],
    [/order|parameters invalid|insufficient|allowed|permission|signature/i, 'unrelated'],
  ],
  limit: { windowMs: mexcWindowMs },
}
