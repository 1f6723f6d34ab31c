import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { jobs } from '../../jobs/catalog.ts'
import { readPayload } from '../../src/queue/payload.ts'
import { checkEnvironment } from '../../src/settings/environment.ts'
import { examine, plainIssues } from '../../src/settings/plain-issues.ts'
import { coinsFile, configuration } from '../../src/settings/schema.ts'

/** How zod words its own messages. */
const zodsOwn =
  /Invalid (input|option|string|key|number|element|discriminator|URL|ISO)|Unrecognized key|Too (small|big)|expected \w+, received|ZodError|undefined/

const messagesOf = (schema: z.ZodType, value: unknown): string[] => {
  const result = examine(schema, value, { quoting: true })
  return result.success ? [] : plainIssues(result.error, 'it')
}

const expectPlain = (messages: readonly string[]) => {
  for (const message of messages) expect(message).not.toMatch(zodsOwn)
}

/** A value of which some parts, at any depth, are something else. */
const spoiled = (value: unknown): fc.Arbitrary<unknown> => {
  const other = fc.oneof(
    fc.anything(),
    fc.constant(undefined),
    fc.constant(null),
    fc.constant({ unknown: 1 }),
  )
  if (Array.isArray(value))
    return fc.oneof(
      { weight: 4, arbitrary: fc.tuple(...value.map(spoiled)) },
      { weight: 1, arbitrary: other },
    )
  if (typeof value === 'object' && value !== null)
    return fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record(
          Object.fromEntries(Object.entries(value).map(([key, part]) => [key, spoiled(part)])),
        ),
      },
      { weight: 1, arbitrary: other },
    )
  return fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other })
}

const someCoins = [{ id: 'bitcoin', symbol: 'BTC', name: 'Bitcoin', markets: { binance: 'BTCUSDT' } }]
// biome-ignore-start lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.
const someSettings = {
  coinsFile: 'coins.yaml',
  track: ['bitcoin'],
  quotes: ['USDT'],
  candles: { settleDelay: '3 s', recheck: 2, chunk: 20_000 },
  timeframes: {
    '1h': { partition: 'month', ahead: 2, history: '14 days', keep: '90 days', then: 'archive' },
  },
  retention: { notifications: { by: 'created_at', keep: '90 days', then: 'archive' } },
  monitoring: { cacheHitRatio: 0.9, webhook: { url: 'https://x', secret: 'long enough to be one' } },
}
// biome-ignore-end lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.

describe('no message has the words of zod', () => {
  test.for([
    ['the configuration', configuration, someSettings],
    ['the coins file', coinsFile, someCoins],
  ] as const)('of %s', ([, schema, valid]) => {
    fc.assert(fc.property(spoiled(valid), (value) => expectPlain(messagesOf(schema, value))))
  })

  test.for(jobs.map((job) => [job.name, job] as const))('of the payload of %s', ([, job]) => {
    const valid = {
      source: 'binance',
      timeframe: '1m',
      view: 'a',
      from: '2024-03-01T00:00:00Z',
      agreed: true,
    }
    fc.assert(
      fc.property(fc.oneof(fc.anything(), spoiled(valid)), (payload) => {
        try {
          readPayload(job, payload)
        } catch (error) {
          expectPlain([error instanceof Error ? error.message : String(error)])
        }
      }),
    )
  })

  test('of the environment, and none has what was set', () => {
    const names = [
      'BEACON_HTTP_PORT',
      'BEACON_LOG_LEVEL',
      'BEACON_BUDGET',
      'REDIS_URL',
      'BEACON_HTTP_PASSWORD',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.string({ minLength: 6 }), (name, value) => {
        const { mistakes } = checkEnvironment({ [name]: value })
        expectPlain(mistakes)
        for (const mistake of mistakes) expect(mistake.replace(name, '')).not.toContain(`"${value}"`)
      }),
    )
  })
})

describe('a message', () => {
  test.for([
    [z.number(), 'many', 'it is "many", not a number'],
    [z.number(), Number.NaN, 'it is NaN, not a number'],
    [z.number().int(), 1.5, 'it is 1.5, not a whole number'],
    [z.string(), 5, 'it is 5, not a text'],
    [z.string(), undefined, 'it is missing: it must be a text'],
    [z.string(), null, 'it is empty: it must be a text'],
    [z.string().min(1), '', 'it is empty'],
    [z.string().min(3), 'ab', 'it has fewer than 3 characters'],
    [z.string().max(3), 'abcd', 'it has more than 3 characters'],
    [z.array(z.string()).max(1), ['a', 'b'], 'it has more than 1 entries'],
    [z.boolean(), 'yes', 'it is "yes", not true or false'],
    [z.number().min(3), 2, 'it is 2, and must be at least 3'],
    [z.number().gt(3), 3, 'it is 3, and must be greater than 3'],
    [z.number().max(3), 4, 'it is 4, and must be at most 3'],
    [z.number().multipleOf(5), 4, 'it is 4, and must be a multiple of 5'],
    [z.enum(['drop', 'archive']), 'dorp', 'it is "dorp", not one of drop, archive. Did you mean "drop"?'],
    [z.literal('all'), 'al', 'it is "al", not all. Did you mean "all"?'],
    [z.iso.datetime(), 'today', 'it is "today", not a time such as 2024-03-01T00:00:00Z'],
    [z.url(), 'x', 'it is "x", not a URL such as https://host/path'],
    [z.object({ a: z.number() }), [], 'it is a list, not a section with settings'],
    [
      z.strictObject({ coin: z.string() }),
      { coin: 'a', coins: 1 },
      'it has no "coins". Did you mean "coin"? There is coin',
    ],
    [z.union([z.number(), z.boolean()]), 'x', 'it is "x", not of a form that is expected here'],
    [z.object({ secret: z.number() }), { secret: 'hush' }, 'secret is not a number'],
    [z.string(), { a: 1 }, 'it is a section, not a text'],
    [z.number(), 'x'.repeat(100), `it is "${'x'.repeat(60)}…", not a number`],
  ] as const)('%# is in plain words', ([schema, value, message]) => {
    expect(messagesOf(schema, value)).toEqual([message])
  })
})
