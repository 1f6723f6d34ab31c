import { z } from 'zod'
import { minute } from '../../market/instant.ts'
import { errorBody } from './error-body.ts'
import type { ErrorTable } from './error-table.ts'

const body = z.object({ error: z.string() })

/** Not in the free plan. */
const planStatuses: readonly number[] = [402, 403]

// https://docs.coinpaprika.com/api-reference/rest-api/introduction
/** `{"error":"…"}`; plan errors only by status. */
export const coinpaprikaErrors: ErrorTable = {
  source: 'coinpaprika',
  read: (answer) => {
    const { data } = body.safeParse(errorBody(answer))
    return (
      data && {
        code: planStatuses.includes(answer.status) ? `HTTP ${answer.status}` : '',
        message: data.error,
      }
    )
  },
  codes: { 'HTTP 402': 'refused', 'HTTP 403': 'refused' },
  messages: [[/^(?:invalid|missing) /i, 'refused']],
  clientStatuses: [403],
  limit: { windowMs: minute },
}
