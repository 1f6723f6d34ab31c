import { z } from 'zod'
import { Malformed } from '../src/fault.ts'
import { judgeLife, type News } from '../src/ingest/market-life.ts'
import { toIso } from '../src/market/instant.ts'
import { defineJob } from '../src/queue/job.ts'
import { sourceIds } from '../src/settings/source-ids.ts'
import { sources } from '../src/sources/catalog.ts'
import { toHttpRequest } from '../src/sources/source.ts'
import { readLives, writeLife } from '../src/store/instruments.ts'
import { inTransaction } from '../src/store/transaction.ts'

/** What somebody should look at. */
const loud: readonly News[] = ['unlisted', 'ended', 'relisted']

/** What its source lists of every followed market: which have ended, and whose symbol has come back. */
export const syncInstruments = defineJob({
  name: 'sync-instruments',
  summary: 'Looks whether the followed markets of a source are still listed',
  payload: z.strictObject({ source: z.enum(sourceIds) }),
  // Once a day each: a queue of their own would keep a worker busy with waiting on every source that a market is on.
  queueOf: () => 'upkeep',
  idOf: ({ source }) => `sync-instruments_${source}`,
  priority: 5,
  schedules: (_settings, coins) =>
    Object.values(sources)
      .filter(
        ({ id, listing }) =>
          listing !== undefined && coins.some(({ markets }) => markets.some(({ source }) => source === id)),
      )
      .map(({ id }) => ({
        id: `sync-instruments_${id}`,
        pattern: '50 17 3 * * *',
        payload: { source: id },
        whenMissed: 'run-once' as const,
      })),
  run: async ({ settings, http, signal, pool, clock, log }, { source: id }) => {
    const source = sources[id]
    if (!source.listing) return { listed: 0, followed: 0 }
    const request = toHttpRequest(source, source.listing.request(), settings.environment.baseUrls)
    const listing = source.listing.parse((await http.get(request, { lane: 'live', signal })).text)
    if (listing.length === 0) throw new Malformed(`${id} lists no market at all`)
    const bySymbol = new Map(listing.map((market) => [market.symbol, market]))
    const now = clock.now()
    const judged = await inTransaction(pool, async (tx) => {
      const lives = await readLives(tx, id)
      const all = lives.map((life) => judgeLife(life, bySymbol.get(life.symbol), now))
      for (const { life } of all) await writeLife(tx.db, id, life)
      return all
    })
    for (const { life, news } of judged) {
      if (news === undefined) continue
      log[loud.includes(news) ? 'warn' : 'info'](`market.${news}`, {
        coinId: life.coinId,
        market: `${id}:${life.symbol}`,
        ...(life.listedTo === undefined ? {} : { endedAt: toIso(life.listedTo) }),
      })
    }
    const ended = judged.filter(({ news }) => news === 'ended').length
    return { listed: listing.length, followed: judged.length, ended }
  },
})
