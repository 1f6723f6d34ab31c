import { commandLine } from '../../command-line.ts'
import { InvalidInput, Unavailable } from '../../fault.ts'
import { type Choice, chooseMarket } from '../../ingest/choose-market.ts'
import { candleSource } from '../../ingest/markets.ts'
import { marketKey } from '../../market/market-key.ts'
import { hasCandles, sourceNamed, sources } from '../../sources/catalog.ts'
import { assetOf } from '../../sources/listing/asset-names.ts'
import type { ListedMarket } from '../../sources/listing/listed-market.ts'
import { otherKinds } from '../../sources/listing/other-kind.ts'
import type { CandleProvider } from '../../sources/source.ts'
import { say } from '../terminal/output.ts'
import type { Listings } from './listings.ts'
import type { MarketName } from './market-name.ts'

/** A market that a coin is to be tracked on; not listed where its source could not be asked. */
export type FoundMarket = MarketName & Readonly<{ listed: ListedMarket | undefined }>

/** Finds a named market in its source's listing. Refuses one that is not there, and one of no coin. */
export async function lookUpMarket(
  listings: Listings,
  { source: id, symbol }: MarketName,
): Promise<FoundMarket> {
  try {
    const listing = await listings.of(sourceNamed(id))
    if (!listing) return { source: id, symbol, listed: undefined }
    const listed = findListed(listing, id, symbol)
    if (!listed) throw new InvalidInput(`${id} does not list ${symbol}: check the spelling on the exchange`)
    if (listed.kind !== undefined) throw noCoin(id, listed)
    if (!listed.trading) say(`${id} lists ${symbol}, but it is not trading now.`)
    if (listed.baseMayBe !== undefined)
      say(`${id} may mean ${listed.baseMayBe} by ${listed.base}: check on the exchange which coin it is.`)
    // By the one name that all of the source's answers use, whichever was given.
    return { source: id, symbol: listed.symbol, listed }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    say(`Not checked whether ${symbol} exists: ${error.message}.`)
    return { source: id, symbol, listed: undefined }
  }
}

function findListed(
  listing: readonly ListedMarket[],
  source: string,
  symbol: string,
): ListedMarket | undefined {
  const key = marketKey(source, symbol)
  return (
    listing.find((listed) => listed.symbol === symbol) ??
    listing.find((listed) => listed.alsoCalled?.includes(symbol)) ??
    listing.find((listed) => marketKey(source, listed.symbol) === key)
  )
}

const noCoin = (source: string, { symbol, kind }: ListedMarket): InvalidInput =>
  new InvalidInput(
    `${source}:${symbol} is ${kind === undefined ? 'a coin' : otherKinds[kind]}, and only coins are tracked: choose another market with --market SOURCE:SYMBOL`,
  )

type Request = Readonly<{
  coinId: string
  ticker: string | undefined
  sourceId: string | undefined
  /** In order of preference. */
  quotes: readonly string[]
}>

/** Looks for a coin's market by its ticker: on one source, or on each that has candles until one lists it. */
export async function findMarket(
  listings: Listings,
  { coinId, ticker, sourceId, quotes }: Request,
): Promise<FoundMarket> {
  if (ticker === undefined) {
    throw new InvalidInput(
      `the ticker of ${coinId} is not known here: add --symbol TICKER, or --market SOURCE:SYMBOL`,
    )
  }
  const base = ticker.toUpperCase()
  const candidates: readonly CandleProvider[] =
    sourceId === undefined ? Object.values(sources).filter(hasCandles) : [candleSource(sourceId)]
  const asked: string[] = []
  let refusal: InvalidInput | undefined
  for (const source of candidates) {
    try {
      const listing = await listings.of(source)
      if (!listing) continue
      asked.push(source.id)
      const choice = chooseMarket(listing, base, quotes)
      if (choice.kind === 'one')
        return { source: source.id, symbol: choice.market.symbol, listed: choice.market }
      const refused = refusalOf(choice, { coinId, base, source: source.id, quotes })
      if (choice.kind === 'ambiguous' && isIn(choice.candidates, quotes) && refused) throw refused
      // Another source may list the coin itself.
      refusal ??= refused
    } catch (error) {
      if (!(error instanceof Unavailable) || sourceId !== undefined) throw error
      say(`${source.id} was not asked for ${base}: ${error.message}.`)
    }
  }
  throw refusal ?? notFound(base, asked)
}

const isIn = (candidates: readonly ListedMarket[], quotes: readonly string[]): boolean =>
  candidates.some(({ quote }) => quotes.includes(quote))

type Refused = Readonly<{ coinId: string; base: string; source: string; quotes: readonly string[] }>

function refusalOf(choice: Choice, { coinId, base, source, quotes }: Refused): InvalidInput | undefined {
  if (choice.kind === 'ambiguous') {
    const names = choice.candidates.map(({ symbol }) => commandLine`${`${source}:${symbol}`}`)
    if (!isIn(choice.candidates, quotes))
      return new InvalidInput(
        `${source} has no market of ${base} in ${quotes.join(', ')}: choose with --market ${names.join(' or ')}`,
      )
    return new InvalidInput(`${base} stands for several markets: choose with --market ${names.join(' or ')}`)
  }
  if (choice.kind === 'no-coin') return noCoin(source, choice.market)
  if (choice.kind !== 'disputed') return undefined
  const [{ symbol, baseMayBe }] = choice.candidates
  return new InvalidInput(
    `${base} is not the same coin on every exchange, and ${source} may mean ${baseMayBe}: check on the exchange, and if it is ${coinId}, track it with: ${commandLine`beacon coins add ${coinId} --market ${`${source}:${symbol}`}`}`,
  )
}

function notFound(base: string, asked: readonly string[]): InvalidInput {
  if (asked.length === 0)
    return new InvalidInput(
      `no source could be asked for ${base}: name its market with --market SOURCE:SYMBOL`,
    )
  // On Bitfinex WBT is Wrapped Bitcoin, which everyone else calls WBTC.
  const elsewhere = asked.flatMap((source) => {
    const { ticker } = assetOf(source, base)
    return ticker === base ? [] : [` (${base} of ${source} is what others call ${ticker})`]
  })
  return new InvalidInput(
    `${asked.join(', ')} ${asked.length === 1 ? 'lists' : 'list'} no market of ${base}${elsewhere.join('')}: check the ticker, or name its market with --market SOURCE:SYMBOL`,
  )
}
