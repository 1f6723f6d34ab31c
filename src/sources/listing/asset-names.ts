import { known } from '../known.ts'
import type { ListedMarket } from './listed-market.ts'
import { ownTickers, usualEverywhere } from './own-tickers.ts'

/** What a source's ticker means. */
export type Asset = Readonly<{
  /** In the usual spelling. */
  ticker: string
  /** A coin the source calls or called so, if others use the ticker differently. */
  mayBe?: string
}>

/** The only place that resolves tickers. */
export function assetOf(source: string, ownTicker: string): Asset {
  const { usual, another } = ownTickers[source] ?? {}
  const mayBe = entryOf(another, ownTicker)
  if (mayBe !== undefined) return { ticker: ownTicker, mayBe }
  return { ticker: entryOf(usual, ownTicker) ?? entryOf(usualEverywhere, ownTicker) ?? ownTicker }
}

/** Base and quote from the source's names. */
export function pairOf(
  source: string,
  ownBase: string,
  ownQuote: string,
): Pick<ListedMarket, 'base' | 'quote' | 'ownBase' | 'baseMayBe'> {
  const { ticker: base, mayBe } = assetOf(source, ownBase)
  return {
    base,
    quote: assetOf(source, ownQuote).ticker,
    ...known('ownBase', ownBase === base ? undefined : ownBase),
    ...known('baseMayBe', mayBe),
  }
}

/** Guards against names like `constructor`. */
const entryOf = (table: Readonly<Record<string, string>> | undefined, ticker: string): string | undefined =>
  table !== undefined && Object.hasOwn(table, ticker) ? table[ticker] : undefined
