import type { Pool } from 'pg'
import { z } from 'zod'
import { InvalidInput } from '../fault.ts'
import { day, type Instant, parseDate, plus } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { timeframes } from '../market/timeframe.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import { examine, plainIssues } from '../settings/plain-issues.ts'
import { type Coin, listCoins } from '../store/coins.ts'
import { databaseOf } from '../store/transaction.ts'

// What the queries of the API have in common.

export const timeframe = z.enum(timeframes, { error: `is none of ${timeframes.join(', ')}` })
export const date = z.string().max(40).optional()

const longestDays = 3_660

/** The query, checked. Throws InvalidInput, which is answered with status 400. */
export function readQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  const result = examine(schema, query, { quoting: true })
  if (result.success) return result.data
  throw badRequest(plainIssues(result.error, 'the query').join('; '))
}

/** The fault that Fastify answers with status 400 and its sentence. */
const badRequest = (message: string): InvalidInput =>
  Object.assign(new InvalidInput(message), { statusCode: 400 })

/** Throws InvalidInput, which is answered with status 404. */
export async function trackedCoin(pool: Pool, coinId: string): Promise<Coin> {
  const coins = await listCoins(databaseOf(pool))
  const found = coins.find(({ id }) => id === coinId)
  if (found) return found
  const near = didYouMean(
    coinId,
    coins.map(({ id }) => id),
  )
  throw Object.assign(new InvalidInput(`no coin "${coinId}" is tracked.${near}`), { statusCode: 404 })
}

/** The range asked about; by default it ends now and is `lengthMs` long. */
export function rangeOf(
  asked: Readonly<{ from?: string | undefined; to?: string | undefined }>,
  now: Instant,
  lengthMs: number,
): Range {
  const at = (name: 'from' | 'to', otherwise: Instant) => {
    const text = asked[name]
    if (text === undefined) return otherwise
    const instant = parseDate(text, now)
    if (instant === undefined)
      throw badRequest(`${name} is not a date such as 2024-03-01, 2024-03-01T12:00Z or -30d`)
    return instant
  }
  const to = at('to', now)
  const from = at('from', plus(to, -lengthMs))
  if (from >= to) throw badRequest('from is not before to')
  if (to - from > longestDays * day) throw badRequest(`from and to are more than ${longestDays} days apart`)
  return { from, to }
}
