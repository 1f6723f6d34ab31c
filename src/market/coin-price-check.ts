import { type CoinPrice, type CoinPriceRow, coinPriceTypes } from './coin-price.ts'
import { fitTo, isNegative } from './decimal.ts'
import { day, type Instant, minute, plus, toIso } from './instant.ts'

export type RejectedPrice = Readonly<{ raw: unknown; reason: string; market?: string }>

export type CheckedPrices = Readonly<{
  prices: readonly CoinPrice[]
  rejected: readonly RejectedPrice[]
  roundedValues: number
}>

/** A source's clock and ours may differ by this much before a price counts as being from the future. */
const tolerableMs = 5 * minute

/** Of a coin that nobody trades any more a source goes on giving the last price it had. */
const staleMs = 7 * day

/** Sorts the rows of one answer into prices for the table and rows to keep aside. `now` is the source's own time. */
export function checkPrices(rows: readonly CoinPriceRow[], now: Instant): CheckedPrices {
  const prices: CoinPrice[] = []
  const rejected: RejectedPrice[] = []
  let roundedValues = 0
  for (const row of rows) {
    const verdict = 'price' in row ? judge(row.price, now) : { reason: row.flaw }
    if ('reason' in verdict) {
      const market = 'price' in row ? row.price.market : row.market
      rejected.push({ raw: row.raw, reason: verdict.reason, ...(market === undefined ? {} : { market }) })
    } else {
      prices.push(verdict.price)
      roundedValues += verdict.roundedValues
    }
  }
  return { prices, rejected, roundedValues }
}

function judge(
  price: CoinPrice,
  now: Instant,
): { price: CoinPrice; roundedValues: number } | { reason: string } {
  if (price.timestamp > plus(now, tolerableMs))
    return { reason: `dated in the future, at ${toIso(price.timestamp)}` }
  if (price.timestamp < plus(now, -staleMs))
    return { reason: `not a current price, it is of ${toIso(price.timestamp)}` }
  if (isNegative(price.price)) return { reason: `price ${price.price} is negative` }
  const values: Record<string, string> = {}
  let roundedValues = 0
  for (const name of Object.keys(coinPriceTypes) as (keyof typeof coinPriceTypes)[]) {
    const value = price[name]
    if (value === undefined) continue
    const type = coinPriceTypes[name]
    const fitting = fitTo(value, type)
    if (fitting.kind === 'overflows') {
      return { reason: `${name} ${value} does not fit numeric(${type.precision},${type.scale})` }
    }
    // Only a price may not become zero: 0.001 % of change rounds to 0.00 like any other change.
    if (fitting.kind === 'vanishes' && name === 'price') {
      return { reason: `price ${value} would become 0 at ${type.scale} decimals` }
    }
    if (fitting.kind === 'exact') values[name] = fitting.value
    else roundedValues += 1
    if (fitting.kind === 'rounded') values[name] = fitting.value
    if (fitting.kind === 'vanishes') values[name] = '0'
  }
  return { price: { ...price, ...values }, roundedValues }
}
