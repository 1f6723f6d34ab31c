import { commandLine } from '../../command-line.ts'
import { sharersOf } from '../../ingest/listing/shared-markets.ts'
import { listCoins } from '../../store/coins.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, warning } from './check.ts'

export const markets: Check = {
  name: 'markets',
  run: async ({ pool }) => {
    const coins = await listCoins(databaseOf(pool))
    return coins.flatMap((coin) =>
      coin.markets
        .filter(({ sharesMarket }) => sharesMarket)
        .flatMap((market) =>
          sharersOf(market, coins).map((other) =>
            warning(
              `${market.source}:${market.symbol} is tracked as ${coin.id} and as ${other}: one of them has the candles of another coin.`,
              `Stop the one that is wrong: ${commandLine`npx beacon coins remove ${coin.id}`}, or ${other}`,
            ),
          ),
        ),
    )
  },
}
