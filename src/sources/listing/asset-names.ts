import { known } from '../known.ts'
import type { ListedMarket } from './listed-market.ts'
import { ownTickers, usualEverywhere } from './own-tickers.ts'

/** What a source's ticker stands for. */
export type Asset = Readonly<{
  /** In the usual spelling. */
  ticker: string
  /** The coin that the source calls so, or once did, where elsewhere the ticker is another's. */
  mayBe?: string
}>

/** What a source's own ticker really is: the one place that knows. */
export function assetOf(source: string, ownTicker: string): Asset {
  const { usual, another } = ownTickers[source] ?? {}
  const mayBe = entryOf(another, ownTicker)
  if (mayBe !== undefined) return { ticker: ownTicker, mayBe }
  return { ticker: entryOf(usual, ownTicker) ?? entryOf(usualEverywhere, ownTicker) ?? ownTicker }
}

/** The two sides of a market, by what its source calls them. */
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

/** A source's own ticker is any text: `constructor` is in no table. */
const entryOf = (table: Readonly<Record<string, string>> | undefined, ticker: string): string | undefined =>
  table !== undefined && Object.hasOwn(table, ticker) ? table[ticker] : undefined
