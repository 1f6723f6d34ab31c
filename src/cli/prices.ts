import { Command } from 'commander'
import { type Instant, toIso } from '../market/instant.ts'
import { listCoins } from '../store/coins.ts'
import { type LatestPrice, readLatestPrices } from '../store/prices.ts'
import { chosenCoins } from './chosen-coins.ts'
import { answer, spanText, table } from './output.ts'
import { withDatabase } from './session.ts'

export const pricesCommand = (): Command =>
  new Command('prices')
    .argument('[coin...]', 'coin ids; all followed ones when none is named')
    .option('--json', 'answer as JSON, prices as exact text')
    .action((coinIds: string[], { json }: { json?: boolean }) =>
      withDatabase(async ({ db, clock }) => {
        const coins = chosenCoins(await listCoins(db), coinIds)
        const prices =
          coins.length === 0
            ? []
            : await readLatestPrices(
                db,
                coins.map(({ id }) => id),
              )
        const asJson = prices.map((price) => ({ ...price, timestamp: toIso(price.timestamp) }))
        answer(json, { prices: asJson }, () =>
          prices.length === 0
            ? 'No prices are stored yet: a running daemon brings them in, and beacon status tells what it met.'
            : priceTable(prices, clock.now()),
        )
      }),
    )

const priceTable = (prices: readonly LatestPrice[], now: Instant): string =>
  table(prices, [
    { title: 'rank', of: ({ rank }) => String(rank ?? ''), align: 'right' },
    { title: 'coin', of: ({ coinId }) => coinId },
    { title: 'symbol', of: ({ symbol }) => symbol },
    { title: 'price', of: ({ price }) => price, align: 'right' },
    { title: '24 h %', of: ({ change24h }) => change24h ?? '', align: 'right' },
    { title: '24 h volume', of: ({ volume24h }) => volume24h ?? '', align: 'right' },
    { title: 'market cap', of: ({ marketCap }) => marketCap ?? '', align: 'right' },
    { title: 'age', of: ({ timestamp }) => spanText(now - timestamp), align: 'right' },
  ])
