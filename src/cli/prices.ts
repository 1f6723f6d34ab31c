import { Command } from 'commander'
import { z } from 'zod'
import { type Instant, toIso, toMinuteText } from '../market/instant.ts'
import { type Coin, listCoins } from '../store/coins.ts'
import { type LatestPrice, readLatestPrices } from '../store/prices.ts'
import { readLastOutcome } from '../store/runs.ts'
import type { Database } from '../store/transaction.ts'
import { allCoins, asJson, refuseCoinsBesideAll, someCoins } from './arguments/options.ts'
import { chosenCoins } from './series/chosen-coins.ts'
import { withDatabase } from './session.ts'
import { answer, spanText } from './terminal/output.ts'
import { table } from './terminal/table.ts'

export const pricesCommand = (): Command =>
  new Command('prices')
    .addArgument(someCoins())
    .addOption(allCoins())
    .addOption(asJson())
    .action((names: string[], { json, all }: { json?: boolean; all?: boolean }) =>
      withDatabase(async ({ db, clock, settings }) => {
        refuseCoinsBesideAll(names, all)
        const coins = chosenCoins(await listCoins(db), names, settings)
        const ids = coins.map(({ id }) => id)
        const prices = coins.length === 0 ? [] : await readLatestPrices(db, ids)
        const lastRun = await readLastRun(db, coins)
        const described = prices.map((price) => ({ ...price, timestamp: toIso(price.timestamp) }))
        answer(json, { prices: described, unpriced: lastRun?.unpriced ?? [] }, () =>
          [
            prices.length === 0
              ? 'No prices are stored yet: a running daemon brings them in; see beacon status.'
              : priceTable(prices, clock.now()),
            ...(lastRun === undefined || lastRun.unpriced.length === 0 ? [] : [unpricedText(lastRun)]),
          ].join('\n\n'),
        )
      }),
    )

const priceTable = (prices: readonly LatestPrice[], now: Instant): string =>
  table(prices, [
    { title: 'rank', of: ({ rank }) => String(rank ?? ''), align: 'right', leaveOut: 2 },
    { title: 'coin', of: ({ coinId }) => coinId },
    { title: 'symbol', of: ({ symbol }) => symbol, leaveOut: 1 },
    { title: 'price', of: ({ price }) => price, align: 'right', decimals: true },
    { title: '24 h %', of: ({ change24h }) => change24h ?? '', align: 'right' },
    {
      title: '24 h volume',
      of: ({ volume24h }) => volume24h ?? '',
      align: 'right',
      decimals: true,
      leaveOut: 4,
    },
    {
      title: 'market cap',
      of: ({ marketCap }) => marketCap ?? '',
      align: 'right',
      decimals: true,
      leaveOut: 3,
    },
    { title: 'age', of: ({ timestamp }) => spanText(now - timestamp), align: 'right' },
  ])

type Unpriced = Readonly<{ coinId: string; why: string }>

/** Coins without a price in the last price job. */
type LastRun = Readonly<{ startedAt: Instant; unpriced: readonly Unpriced[] }>

// Other versions may record other outcomes.
const outcomeOf = z.object({ unpriced: z.record(z.string(), z.string()) }).catch({ unpriced: {} })

async function readLastRun(db: Database, coins: readonly Coin[]): Promise<LastRun | undefined> {
  const run = await readLastOutcome(db, 'ingest-prices')
  if (run === undefined) return undefined
  const whys = new Map(Object.entries(outcomeOf.parse(run.outcome).unpriced))
  const unpriced = coins.flatMap(({ id }) => {
    const why = whys.get(id)
    return why === undefined ? [] : [{ coinId: id, why }]
  })
  return { startedAt: run.startedAt, unpriced }
}

const unpricedText = ({ startedAt, unpriced }: LastRun): string =>
  [
    `Without a price in the last run, at ${toMinuteText(startedAt)} UTC:`,
    table(unpriced, [
      { title: 'coin', of: ({ coinId }) => coinId },
      { title: 'why', of: ({ why }) => why, wraps: true },
    ]),
  ].join('\n')
