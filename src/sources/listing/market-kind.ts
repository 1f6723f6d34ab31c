import { known } from '../known.ts'
import type { ListedMarket } from './listed-market.ts'
import type { OtherKind } from './other-kind.ts'

/** Fiat currencies used as base; other codes collide with coins. */
const fiatTickers: ReadonlySet<string> = new Set(
  'AED ARS AUD BRL CAD CHF CNH COP CZK DKK EUR GBP HKD IDR INR JPY KRW MXN NGN NOK NZD PLN RON RUB SEK SGD THB TRY TWD UAH USD ZAR'.split(
    ' ',
  ),
)

/** Issuers' naming: xStocks, Ondo. */
const tokenizedStockName = /\bx-?stocks?\b|\bondo tokenized\b|\btokenized (?:stocks?|shares?|etfs?)\b/i

export const isTokenizedStockName = (name: string): boolean => tokenizedStockName.test(name)

/** The full name and the kind it implies. */
export const named = (fullName: string | null | undefined): Pick<ListedMarket, 'baseName' | 'kind'> => ({
  ...known('baseName', fullName || undefined),
  ...(fullName && isTokenizedStockName(fullName) ? { kind: 'tokenized-stock' } : {}),
})

/** BTC3L, ETH5S. */
const leveragedTicker = /^(.+?)(?:[2-9]|1\d)[LS]$/

/** Adds fiat and leveraged tokens of a base in the listing. */
export function withKinds(listing: readonly ListedMarket[]): ListedMarket[] {
  const bases = new Set(listing.map(({ base }) => base))
  return listing.map((market) => ({ ...market, ...known('kind', market.kind ?? impliedKind(market, bases)) }))
}

function impliedKind({ base }: ListedMarket, bases: ReadonlySet<string>): OtherKind | undefined {
  if (fiatTickers.has(base)) return 'fiat'
  return isLeveraged(base, bases) ? 'leveraged-token' : undefined
}

/** JUP is not leveraged J: there is no JDOWN. */
function isLeveraged(base: string, bases: ReadonlySet<string>): boolean {
  const [, multiplied] = leveragedTicker.exec(base) ?? []
  if (multiplied !== undefined && bases.has(multiplied)) return true
  const [, underlying] = /^(.+)(?:UP|DOWN)$/.exec(base) ?? []
  return (
    underlying !== undefined &&
    bases.has(underlying) &&
    bases.has(`${underlying}UP`) &&
    bases.has(`${underlying}DOWN`)
  )
}
