import { z } from 'zod'
import { minute, second } from '../../market/instant.ts'
import { errorBody } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.object({ error: z.union([z.string(), z.array(z.string())]) })

/** Warnings come with a result. */
export const isKrakenError = (message: string): boolean => !message.startsWith('W')

const lockoutMs = 15 * minute

// https://docs.kraken.com/exchange/guides/general/errors
/** HTTP 200 with `{"error":["EQuery:Unknown asset pair"]}`; the prefix is the code. */
export const krakenErrors: ErrorTable = {
  source: 'kraken',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    const message = [data?.error ?? []].flat().find(isKrakenError)
    return message === undefined ? undefined : { code: '', message }
  },
  messages: [
    [/Throttled|Too many requests|Rate limit exceeded/i, 'wait'],
    [/Temporary lockout/i, 'banned'],
    [/^EService:|^EDatabase:|Internal error/i, 'retry'],
    [/^EQuery:(?:Unknown|Invalid) asset/i, 'unknown-market'],
    [/^EGeneral:(?:Invalid arguments(?::(?:pair|interval|since|count))?$|Unknown method)/i, 'refused'],
    [/^(?:EAPI|EFunding|EOrder|ESession|ETrade|EAuth|EAccount|ESubscription|EGeneral|EQuery):/i, 'unrelated'],
    // From ccxt, without prefix.
    [/^:(?:Invalid (?:order|nonce|arguments:v)|I?Insufficient funds|Cancel pending)/i, 'unrelated'],
  ],
  limit: {
    windowMs: 15 * second,
    longestMs: lockoutMs,
    // "EService: Throttled: 1709294400": seconds.
    leftMs: ({ answeredAt }, error) => {
      const until = /Throttled:?\s*(\d{10})\b/i.exec(error?.message ?? '')?.[1]
      return until === undefined ? undefined : Number(until) * second - answeredAt
    },
  },
  ban: { ms: lockoutMs },
}
