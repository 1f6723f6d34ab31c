import { z } from 'zod'
import { day, hour, minute, second } from '../market/instant.ts'
import { timeframes } from '../market/timeframe.ts'
import { parseDuration } from './duration.ts'
import { sourceIds } from './source-ids.ts'

/** Milliseconds, written as a number and a unit. */
const duration = z
  .string({ error: 'is not a duration such as "90 days" or "2 s"' })
  .transform((text, context) => {
    const ms = parseDuration(text)
    if (ms !== undefined) return ms
    context.addIssue({ code: 'custom', message: `"${text}" is not a duration such as "90 days" or "2 s"` })
    return z.NEVER
  })

const positiveDuration = duration.refine((ms) => ms > 0, { error: 'is not longer than nothing' })

/** A timer of PostgreSQL or of Node cannot be set to more than 24 days. */
const timeLimit = positiveDuration.refine((ms) => ms <= 7 * day, { error: 'is longer than 7 days' })

/** Milliseconds, or undefined for ever. */
const retention = z.union([z.literal('forever').transform(() => undefined), duration], {
  error: 'is neither a duration such as "90 days" nor "forever"',
})

export const partitionLengths = ['day', 'month', 'year'] as const
export type PartitionLength = (typeof partitionLengths)[number]

/** A cron pattern starts anew with each hour and each day. */
const isEven = (ms: number): boolean =>
  (ms < hour && ms % minute === 0 && hour % ms === 0) || (ms % hour === 0 && day % ms === 0)

const positive = z.number().int().min(1)
const fraction = z.number().gt(0).max(1)

const timeframePolicy = z.strictObject({
  partition: z.enum(partitionLengths),
  ahead: positive,
  history: duration,
  keep: retention,
})

export const coinId = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,49}$/, {
  error: 'is not a coin id such as "bitcoin" (CoinGecko\'s, at most 50 characters)',
})

export const followedCoin = z.strictObject({
  id: coinId,
  symbol: z.string().min(1).max(20),
  name: z.string().min(1).max(100),
  markets: z.partialRecord(z.enum(sourceIds), z.string().min(1).max(50)),
})
export type FollowedCoin = z.infer<typeof followedCoin>

export const coinsFile = z.array(followedCoin).superRefine((coins, context) => {
  const seen = new Set<string>()
  for (const [index, { id }] of coins.entries()) {
    if (seen.has(id))
      context.addIssue({ code: 'custom', path: [index, 'id'], message: `"${id}" stands here twice` })
    seen.add(id)
  }
})

export const configuration = z.strictObject({
  coinsFile: z.string(),
  follow: z.union([z.literal('all'), z.array(coinId).min(1)], {
    error: 'is neither "all" nor a list of coin ids',
  }),
  quotes: z.array(z.string().regex(/^[A-Z0-9]{2,20}$/, { error: 'is not an asset such as USDT' })).min(1),
  candles: z.strictObject({
    // The seconds of a cron pattern: a longer one would fall into the next minute.
    settleDelay: duration.refine((ms) => ms <= minute - second, { error: 'is longer than 59 s' }),
    absentAfter: duration,
    recheck: z.number().int().min(0).max(100),
    chunk: z.number().int().min(100).max(100_000),
    parallelMarkets: z.number().int().min(1).max(50),
  }),
  timeframes: z.partialRecord(z.enum(timeframes), timeframePolicy),
  prices: z.strictObject({
    every: positiveDuration.refine(isEven, {
      error: 'does not divide an hour or a day evenly: 5 minutes, 1 hour',
    }),
    partition: z.enum(partitionLengths),
    ahead: positive,
    keep: retention,
  }),
  views: z.array(z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/)),
  http: z.strictObject({ timeout: positiveDuration, maxBodyBytes: z.number().int().min(1_000) }),
  budget: z.strictObject({ share: fraction }),
  queue: z.strictObject({ concurrency: positive.max(100), stopGrace: duration }),
  database: z.strictObject({
    minConnections: z.number().int().min(0),
    maxConnections: z.number().int().min(2).max(1_000),
    connectionTimeout: timeLimit,
    idleTimeout: timeLimit,
    lockTimeout: timeLimit,
    statementTimeout: z.strictObject({ answer: timeLimit, load: timeLimit, upkeep: timeLimit }),
    idleInTransactionTimeout: timeLimit,
  }),
})

export type Configuration = z.infer<typeof configuration>
