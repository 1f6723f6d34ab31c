import { z } from 'zod'
import type { HttpAnswer } from '../../http/request.ts'
import { minute, second } from '../../market/instant.ts'
import { errorBody, optionalText, writtenCode } from './error-body.ts'
import type { ErrorTable, SourceError } from './error-table.ts'

const body = z.union([
  z
    .object({ retCode: writtenCode, retMsg: optionalText })
    .transform(({ retCode, retMsg }) => ({ code: retCode, message: retMsg })),
  z
    .object({ ret_code: writtenCode, ret_msg: optionalText })
    .transform(({ ret_code, ret_msg }) => ({ code: ret_code, message: ret_msg })),
])

/** A ban or a region, regardless of the body. */
const turnedAway = ({ text }: HttpAnswer): SourceError => ({
  code: /\b(?:country|region|restricted)\b/i.test(text) ? 'HTTP 403 region' : 'HTTP 403',
  message: '',
})

/** Ban duration, regardless of further requests. */
const banMs = 10 * minute

/** If the answer does not report its end. */
export const bybitWindowMs = 5 * second

// https://bybit-exchange.github.io/docs/v5/error and https://bybit-exchange.github.io/docs/v5/rate-limit
/** `{"retCode":10001,"retMsg":"…"}` with HTTP 200; 403 is a ban or region. */
export const bybitErrors: ErrorTable = {
  source: 'bybit',
  read: (answer) => {
    if (answer.status === 403) return turnedAway(answer)
    const { data } = body.safeParse(errorBody(answer))
    return data?.code === '0' ? undefined : data
  },
  codes: {
    'HTTP 403 region': 'blocked',
    'HTTP 403': 'banned',
    '429': 'retry',
    '5004': 'retry',
    '7001': 'refused',
    '10000': 'retry',
    // Any parameter, named in the message.
    '10001': [
      [/symbol/i, 'unknown-market'],
      [/\b(?:category|interval|period|limit|start|end)\b/i, 'refused'],
    ],
    // Clock of a signed request.
    '10002': 'retry',
    '10006': 'wait',
    '10008': 'banned',
    '10009': 'banned',
    '10014': 'refused',
    '10016': 'retry',
    '10017': 'refused',
    '10018': 'banned',
    '10024': 'blocked',
    '10029': 'unknown-market',
    '10429': 'retry',
    '-10009': 'refused',
    '-1004': 'refused',
    '-1103': 'refused',
    '131003': 'retry',
    '131200': 'retry',
    '131201': 'retry',
    '170001': 'retry',
    '170007': 'retry',
    '170032': 'retry',
    '170234': 'retry',
    '181000': 'refused',
    '181001': 'refused',
    '340099': 'retry',
  },
  unrelated: [
    // Keys, permissions.
    /^(?:100(?:0[3457]|1[059]|2[0-8])|33004|100028)$/,
    // Orders, positions.
    /^(?:-1|-\d{4}|[12]\d{3}|1[2-4]\d{3}|2\d{4}|3\d{4}|1[147]\d{4}|3[14]00\d{3})$/,
    // Transfers, leveraged tokens, margin, loans.
    /^(?:13\d{4}|17[56]\d{3}|18\d{4}|32\d{5})$/,
  ],
  messages: [
    [/^not supported symbols/i, 'unknown-market'],
    // Keys, orders.
    [/api[_ ]?key|sign params|_oc$|^oc_|orderInfo/i, 'unrelated'],
  ],
  limit: {
    windowMs: bybitWindowMs,
    longestMs: banMs,
    leftMs: ({ headers, answeredAt }) => {
      const reset = headers['x-bapi-limit-reset-timestamp']
      return reset !== undefined && /^[1-9]\d{12}$/.test(reset) ? Number(reset) - answeredAt : undefined
    },
  },
  ban: { ms: banMs },
}
