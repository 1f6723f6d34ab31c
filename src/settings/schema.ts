import { z } from 'zod'
import { day, hour, minute, second } from '../market/instant.ts'
import { marketKey } from '../market/market-key.ts'
import { isName, lengthOf } from '../market/name.ts'
import { timeframes } from '../market/timeframe.ts'
import { parseDuration } from './duration.ts'
import { anySourceId } from './source-ids.ts'

/** Parsed to ms. */
const duration = z
  .string({ error: 'is not a duration such as "90 days" or "2 s"' })
  .meta({ title: 'duration' })
  .transform((text, context) => {
    const ms = parseDuration(text)
    if (ms !== undefined) return ms
    context.addIssue({ code: 'custom', message: `"${text}" is not a duration such as "90 days" or "2 s"` })
    return z.NEVER
  })

const positiveDuration = duration.refine((ms) => ms > 0, { error: 'must be greater than zero' })

/** Timers of PostgreSQL and Node end at 24 days. */
const timeLimit = positiveDuration.refine((ms) => ms <= 7 * day, { error: 'is longer than 7 days' })

/** Ms; undefined for forever. */
const retention = z.union([z.literal('forever').transform(() => undefined), duration], {
  error: 'is neither a duration such as "90 days" nor "forever"',
})

export const partitionLengths = ['day', 'month', 'year'] as const
export type PartitionLength = (typeof partitionLengths)[number]

/** Cron patterns restart each hour and day. */
const isEven = (ms: number): boolean =>
  (ms < hour && ms % minute === 0 && hour % ms === 0) || (ms % hour === 0 && day % ms === 0)

const positive = z.number().int().min(1)
const fraction = z.number().gt(0).max(1)

/** For expired data. */
const endings = ['drop', 'archive', 'roll-up'] as const
export type Ending = (typeof endings)[number]

const ending = <T extends Ending>(...allowed: readonly T[]) =>
  z.enum(allowed, { error: `is not one of ${allowed.join(', ')}` })

/** Deleting must be explicit. */
const saysWhatThen = ({ keep, then }: { keep?: number | undefined; then?: Ending | undefined }): boolean =>
  keep === undefined || then !== undefined

const thenIsMissing = {
  path: ['then'],
  error: 'is missing: what is not kept forever needs an end, such as drop',
}

const webhook = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'is not a URL of the form http://host or https://host' }),
  secret: z.string().min(16),
})

const timeframePolicy = z
  .strictObject({
    partition: z.enum(partitionLengths),
    ahead: positive,
    history: duration,
    keep: retention,
    // biome-ignore lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.
    then: ending('drop', 'archive').optional(),
  })
  .refine(saysWhatThen, thenIsMissing)

const rowPolicy = z.strictObject({
  by: z.string(),
  keep: retention,
  // biome-ignore lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.
  then: ending('drop', 'archive'),
})

/** Without duplicates. */
const distinct = <T extends z.ZodType<string>>(entry: T) =>
  z.array(entry).superRefine((entries, context) => {
    for (const [index, one] of entries.entries())
      if (entries.indexOf(one) < index)
        context.addIssue({ code: 'custom', path: [index], message: `"${one}" is listed twice: remove one` })
  })

/** Length as in PostgreSQL. */
const name = (longest: number, message: string) =>
  z.string().superRefine((text, context) => {
    const size = { origin: 'string', inclusive: true, input: text } as const
    if (text === '') context.addIssue({ code: 'too_small', minimum: 1, ...size })
    else if (lengthOf(text) > longest) context.addIssue({ code: 'too_big', maximum: longest, ...size })
    else if (!isName(text, longest)) context.addIssue({ code: 'custom', message })
  })

/** CoinGecko's, undocumented: lower case, spaces occur, commas separate. */
export const coinId = z.string().refine((text) => isName(text, 50) && !/[A-Z,]/.test(text), {
  error: 'is not a coin id such as "bitcoin" (CoinGecko\'s, in lower case, at most 50 characters)',
})

/** A market in its source's own spelling. */
export const marketSymbol = name(50, 'is not a symbol such as "BTCUSDT"')

export const trackedCoin = z.strictObject({
  id: coinId,
  symbol: name(20, 'is not a ticker such as "BTC"'),
  name: name(100, 'is not a name in one line'),
  markets: z.partialRecord(anySourceId, marketSymbol).superRefine((markets, context) => {
    if (markets['binance-archive'] !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['binance-archive'],
        message: 'is no market: its files hold the candles of binance, which stands for both',
      })
  }),
})
export type TrackedCoin = z.infer<typeof trackedCoin>

export const coinsFile = z.array(trackedCoin).superRefine((coins, context) => {
  const seen = new Set<string>()
  const coinOf = new Map<string, string>()
  for (const [index, { id, markets }] of coins.entries()) {
    if (seen.has(id))
      context.addIssue({
        code: 'custom',
        path: [index, 'id'],
        message: `"${id}" is listed twice: remove one`,
      })
    seen.add(id)
    for (const [source, symbol = ''] of Object.entries(markets)) {
      const key = `${source}:${marketKey(source, symbol)}`
      const other = coinOf.get(key) ?? id
      if (other !== id)
        context.addIssue({
          code: 'custom',
          path: [index, 'markets', source],
          message: `"${symbol}" is the market of ${other} already, and one market is one coin: remove it from ${other} or from ${id}`,
        })
      coinOf.set(key, other)
    }
  }
})

export const configuration = z.strictObject({
  coinsFile: z.string(),
  track: z.union([z.literal('all'), distinct(coinId).min(1)], {
    error: 'is neither "all" nor a list of coin ids',
  }),
  quotes: distinct(z.string().regex(/^[A-Z0-9]{2,20}$/, { error: 'is not an asset such as USDT' })).min(1),
  candles: z.strictObject({
    // Cron seconds: must stay within the minute.
    settleDelay: duration.refine((ms) => ms <= minute - second, { error: 'is longer than 59 s' }),
    absentAfter: duration,
    finalAfter: duration,
    recheck: z.number().int().min(0).max(100),
    chunk: z.number().int().min(100).max(100_000),
    parallelMarkets: z.number().int().min(1).max(50),
    pageTimeout: duration,
  }),
  timeframes: z.partialRecord(z.enum(timeframes), timeframePolicy),
  prices: z
    .strictObject({
      every: positiveDuration.refine(isEven, {
        error: 'does not divide an hour or a day evenly: 5 minutes, 1 hour',
      }),
      staleAfter: positiveDuration,
      partition: z.enum(partitionLengths),
      ahead: positive,
      keep: retention,
      // biome-ignore lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.
      then: ending(...endings).optional(),
    })
    .refine(saysWhatThen, thenIsMissing),
  retention: z.record(z.string(), rowPolicy),
  views: distinct(z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, { error: 'is not the name of a view' })),
  summaries: z.strictObject({ waitForCandles: timeLimit }),
  archive: z.strictObject({
    batch: z.number().int().min(100).max(100_000),
    restoredFor: positiveDuration,
  }),
  board: z.strictObject({
    access: z.enum(['read-only', 'writable'], { error: 'is neither read-only nor writable' }),
  }),
  monitoring: z.strictObject({
    keep: positiveDuration,
    averageQuery: positiveDuration,
    cacheHitRatio: z.number().min(0).max(1),
    connectionsUsed: fraction,
    unusedIndexBytes: positive,
    scannedRows: positive,
    fullWithin: positiveDuration,
    clockSkew: positiveDuration,
    pageUrl: z.union(
      [
        z.literal('none').transform(() => undefined),
        z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/+$/, '')),
      ],
      {
        error: 'is neither "none" nor a URL of the form http://host or https://host',
      },
    ),
    traceUrl: z.union(
      [
        z.literal('none').transform(() => undefined),
        z.url({ protocol: /^https?$/ }).refine((text) => text.includes('{traceId}')),
      ],
      { error: 'is neither "none" nor a URL with {traceId}, such as http://127.0.0.1:16686/trace/{traceId}' },
    ),
    webhook: z.union([z.literal('none').transform(() => undefined), webhook], {
      error: 'is neither "none" nor a url and a secret of at least 16 characters',
    }),
  }),
  http: z.strictObject({ timeout: positiveDuration, maxBodyBytes: z.number().int().min(1_000) }),
  budget: z.strictObject({ share: fraction }),
  queue: z.strictObject({ concurrency: positive.max(100), stopGrace: duration }),
  database: z.strictObject({
    minConnections: z.number().int().min(0),
    maxConnections: z.number().int().min(2).max(1_000),
    connectionTimeout: timeLimit,
    idleTimeout: timeLimit,
    lockTimeout: timeLimit,
    statementTimeout: z.strictObject({ answer: timeLimit, load: timeLimit, maintenance: timeLimit }),
    idleInTransactionTimeout: timeLimit,
  }),
})

export type Configuration = z.infer<typeof configuration>
