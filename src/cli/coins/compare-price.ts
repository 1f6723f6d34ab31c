import { commandLine } from '../../command-line.ts'
import { Fault } from '../../fault.ts'
import type { Fleet } from '../../fleet.ts'
import { isSourceId, sources } from '../../sources/catalog.ts'
import { coingecko } from '../../sources/coingecko.ts'
import { type Source, toHttpRequest } from '../../sources/source.ts'
import { say } from '../terminal/output.ts'
import type { FoundMarket } from './find-market.ts'

/** Between two exchanges a coin differs by less, and two coins of one ticker hardly ever. */
const mostDifference = 0.1

const dollars = new Set(['USD', 'USDT', 'USDC', 'FDUSD'])

type PricingSource = Source & Required<Pick<Source, 'prices'>>

/** CoinGecko's prices in USD of coins by their ids there; empty, with a note, where it does not answer. */
export async function readUsualPrices(
  fleet: Fleet,
  coinIds: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  try {
    return await pricesOf(fleet, coingecko, coinIds, signal)
  } catch (error) {
    if (!(error instanceof Fault) || signal.aborted) throw error
    say(`Prices are not compared with CoinGecko's: ${error.message}.`)
    return new Map()
  }
}

/**
 * Warns where the price of a market is another one than the coin's usual price in USD: it may be another coin with the
 * same ticker.
 */
export async function warnOfOtherPrice(
  fleet: Fleet,
  { coinId, usualPrice }: Readonly<{ coinId: string; usualPrice(): Promise<number | undefined> }>,
  { source: id, symbol, listed }: FoundMarket,
  signal: AbortSignal,
): Promise<void> {
  const source: Source | undefined = isSourceId(id) ? sources[id] : undefined
  if (!source?.prices || listed === undefined || !dollars.has(listed.quote)) return
  try {
    const prices = await pricesOf(fleet, { ...source, prices: source.prices }, [symbol], signal)
    const own = prices.get(symbol)
    const usual = await usualPrice()
    if (own === undefined || usual === undefined || Math.abs(own / usual - 1) <= mostDifference) return
    say(
      `${id}:${symbol} trades at ${own}, and CoinGecko has ${usual} for ${coinId}: if that is another coin, stop it with ${commandLine`beacon coins remove ${coinId}`}.`,
    )
  } catch (error) {
    if (!(error instanceof Fault) || signal.aborted) throw error
    say(`The price of ${id}:${symbol} is not compared with CoinGecko's: ${error.message}.`)
  }
}

/** For a comparison only: as numbers. */
async function pricesOf(
  { context: { http, settings } }: Fleet,
  source: PricingSource,
  markets: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const request = toHttpRequest(source, source.prices.request(markets), settings.environment.baseUrls)
  const { text, answeredAt } = await http.get(request, { lane: 'live', signal })
  return new Map(
    source.prices
      .parse(text, answeredAt, markets)
      .flatMap((row) =>
        'price' in row && typeof row.price.price === 'string' && Number(row.price.price) > 0
          ? [[row.price.market, Number(row.price.price)]]
          : [],
      ),
  )
}
