import { z } from 'zod'
import { second } from '../../market/instant.ts'
import { errorBody, optionalText, writtenCode } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.object({ code: writtenCode, msg: optionalText })

// https://www.okx.com/docs-v5/en/#error-code
/** `{"code":"51001","msg":"…","data":[]}`, HTTP 200 or 400. */
export const okxErrors: ErrorTable = {
  source: 'okx',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    return data === undefined || data.code === '0' ? undefined : { code: data.code, message: data.msg }
  },
  codes: {
    // "Operation failed", "Bulk operation partially succeeded".
    '1': 'retry',
    '2': 'retry',
    // Server errors.
    '500': 'retry',
    '50001': 'retry',
    '50004': 'retry',
    '50005': 'retry',
    '50011': 'wait',
    '50013': 'retry',
    '50026': 'retry',
    '50040': 'retry',
    '50061': 'wait',
    '50062': 'retry',
    // Parameters, method, path.
    '404': 'refused',
    '50000': 'refused',
    '50002': 'refused',
    '50006': 'refused',
    '50014': 'refused',
    '50015': 'refused',
    '50016': 'refused',
    '50024': 'refused',
    '50025': 'refused',
    '50115': 'refused',
    // Any parameter, named in the message.
    '51000': [
      [/\binst(?:Id|rument)/i, 'unknown-market'],
      [/\b(?:bar|after|before|limit|instType)\b/i, 'refused'],
    ],
    '51001': 'unknown-market',
    '51012': 'unknown-market',
    '51015': 'unknown-market',
    '51767': 'retry',
    '51774': 'retry',
  },
  unrelated: [
    // Liquidation; keys, signatures.
    /^50(?:0(?:0[7-9]|1[0279]|1[78]|2[0-378]|44)|1(?:0[0-9]|1[0-4]))$/,
    // Orders, contracts, savings, margin, transfers, withdrawals, sub-accounts.
    /^5[1-9]\d{3}$/,
    // Sockets.
    /^(?:1009|4\d{3}|6\d{4})$/,
    // Identity checks, position moves.
    /^(?:4088|70\d{3})$/,
  ],
  // Duration is never reported.
  limit: { windowMs: 2 * second },
}
