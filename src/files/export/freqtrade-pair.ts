import { InvalidInput } from '../../fault.ts'
import type { Coin } from '../../store/coins.ts'

/** Longest suffix first. */
const quotes = [
  'FDUSD',
  'USDT',
  'USDC',
  'BUSD',
  'TUSD',
  'USD',
  'UST',
  'EUR',
  'GBP',
  'JPY',
  'TRY',
  'BRL',
  'BTC',
  'ETH',
  'BNB',
]

/** Bitfinex's name of USDT. */
const commonName = (quote: string): string => (quote === 'UST' ? 'USDT' : quote)

/** From the coin's first market. Throws InvalidInput for an unknown quote. */
export function pairOf({ id, symbol, markets }: Coin): readonly [string, string] {
  const market = markets[0]?.symbol.toUpperCase() ?? ''
  const [, after] = /[-_/:]([A-Z0-9]+)$/.exec(market) ?? []
  const quote = after ?? quotes.find((one) => market.endsWith(one) && market.length > one.length)
  if (quote === undefined)
    throw new InvalidInput(
      `the market ${market || `of ${id}`} has no known quote currency: export ${id} with another --layout`,
    )
  return [symbol.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_'), commonName(quote)]
}
