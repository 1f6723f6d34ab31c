import { z } from 'zod'
import { Malformed } from '../src/fault.ts'
import {
  checkListing,
  type Finding,
  findDoubts,
  lifeKey,
  type Poll,
} from '../src/ingest/listing/check-listing.ts'
import { findingText } from '../src/ingest/listing/finding-text.ts'
import { type Trading, tradingIn } from '../src/ingest/listing/trading.ts'
import { toIso } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'
import type { Context } from '../src/runtime/context.ts'
import { type AnySourceId, anySourceId, queueOfSource } from '../src/settings/source-ids.ts'
import { askForListing } from '../src/sources/ask.ts'
import { candlesFrom, isAnySourceId, isSourceId, sourceNamed, sources } from '../src/sources/catalog.ts'
import { inTransaction } from '../src/store/transaction.ts'

const loud: readonly Finding['news'][] = [
  'unlisted',
  'ended',
  'relisted',
  'reused',
  'renamed',
  'reread',
  'no-coin',
  'shared',
]

export const syncInstruments = defineJob({
  name: 'sync-instruments',
  changes: ['ended', 'renamed'],
  summary: 'Check whether the tracked markets of a source are still listed, and are still the same coins',
  payload: z.strictObject({ source: anySourceId }),
  // Once a day; a queue per source would only occupy workers.
  queueOf: () => 'maintenance',
  idOf: ({ source }) => `sync-instruments_${queueOfSource(source)}`,
  priority: 5,
  schedules: (_settings, coins) =>
    [...new Set(coins.flatMap(({ markets }) => markets.map(({ source }) => source)))]
      .filter(isAnySourceId)
      // All ccxt exchanges have listings; avoids loading ccxt.
      .filter((id) => !isSourceId(id) || sources[id].listing !== undefined)
      .map((id) => ({
        id: `sync-instruments_${queueOfSource(id)}`,
        pattern: '50 17 3 * * *',
        payload: { source: id },
        whenMissed: 'run-once' as const,
      })),
  run: async (context, { source: id }, report) => {
    const { settings, http, signal, pool, clock, runId } = context
    const deps = { http, baseUrls: settings.environment.baseUrls }
    const listing = await askForListing(deps, sourceNamed(id), { lane: 'live', signal })
    if (!listing) return { listed: 0, tracked: 0 }
    if (listing.length === 0) throw new Malformed(`${id} lists no market at all`)
    const poll: Poll = { source: id, listing, now: clock.now() }
    const trading = await tradingOfDoubted(context, id, poll)
    const check = { ...poll, trading, runId, settings }
    const { tracked, findings } = await inTransaction(pool, (tx) => checkListing(tx, check), 'load')
    for (const finding of findings) {
      logFinding(context, id, finding)
      await report.log(findingText(id, finding))
    }
    const count = (...news: Finding['news'][]) => findings.filter((one) => news.includes(one.news)).length
    return {
      listed: listing.length,
      tracked,
      ended: count('ended', 'reused'),
      renamed: count('renamed'),
    }
  },
})

function logFinding({ log }: Context, source: string, { news, life, more }: Finding): void {
  log[loud.includes(news) ? 'warn' : 'info'](`market.${news}`, {
    coinId: life.coinId,
    market: `${source}:${life.symbol}`,
    ...(life.listedTo === undefined ? {} : { endedAt: toIso(life.listedTo) }),
    ...more,
  })
}

/** Reads candles of markets whose listing is in doubt (rare). */
async function tradingOfDoubted(
  { pool, http, settings, signal }: Context,
  id: AnySourceId,
  poll: Poll,
): Promise<Map<string, Trading>> {
  const trading = new Map<string, Trading>()
  const source = candlesFrom(id)
  if (!source) return trading
  const deps = { http, baseUrls: settings.environment.baseUrls }
  for (const { life, doubt } of await inTransaction(pool, (tx) => findDoubts(tx, poll))) {
    const market = { source, symbol: life.symbol }
    trading.set(
      lifeKey(life),
      await tradingIn(deps, market, doubt.range, { lane: 'live', signal, now: poll.now }),
    )
  }
  return trading
}
