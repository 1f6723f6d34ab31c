import {
  type CoinPrice,
  type CoinPriceRow,
  coinPriceTypes,
  type OptionalNumber,
  optionalNumbers,
  type ReadPrice,
} from './coin-price.ts'
import { compareDecimals, type Decimal, fitTo, isNegative, isZero, toDecimal } from './decimal.ts'
import { type Instant, minute, plus, toIso } from './instant.ts'

/** `now`: the source's time. */
export type PriceExpectation = Readonly<{ now: Instant; staleAfterMs: number }>

export type DroppedNumber = Readonly<{ market: string; name: OptionalNumber; why: string }>

type Accepted = Readonly<{ price: CoinPrice; dropped: readonly DroppedNumber[]; roundedValues: number }>

/** `no-price` is normal; `rejected` is a fault. */
export type CheckedPrice = Readonly<{ raw: unknown }> &
  (
    | (Readonly<{ kind: 'accepted' }> & Accepted)
    | Readonly<{ kind: 'no-price'; market: string; why: string }>
    | Readonly<{ kind: 'rejected'; market: string | undefined; reason: string }>
  )

/** Clock difference allowed for future prices. */
const tolerableMs = 5 * minute

/** Evaluates each row. */
export const checkPrices = (
  rows: readonly CoinPriceRow[],
  expectation: PriceExpectation,
): readonly CheckedPrice[] => withoutRepeats(rows.map((row) => checkRow(row, expectation)))

function checkRow(row: CoinPriceRow, expectation: PriceExpectation): CheckedPrice {
  const { raw } = row
  if ('flaw' in row) return { raw, kind: 'rejected', market: row.market, reason: row.flaw }
  const { market } = row.price
  const why = whyNoPrice(row.price, expectation)
  if (why !== undefined) return { raw, kind: 'no-price', market, why }
  const essential = checkEssential(row.price, expectation)
  return 'reason' in essential
    ? { raw, kind: 'rejected', market, reason: essential.reason }
    : { raw, kind: 'accepted', ...withOptional(row.price, essential) }
}

/** Zero, empty and old prices mean unknown. */
function whyNoPrice(
  { price, timestamp, traded24h }: ReadPrice,
  { now, staleAfterMs }: PriceExpectation,
): string | undefined {
  if (price === undefined) return 'it gives no price'
  if (!isNumber(price)) return /^nan$/i.test(price.unreadable) ? 'it gives no price' : undefined
  if (isZero(price)) return 'its price is 0'
  if (timestamp !== undefined && timestamp < plus(now, -staleAfterMs))
    return `its price is of ${toIso(timestamp)}`
  // Then the price is at least a day old.
  if (isNumber(traded24h) && isZero(traded24h)) return 'it had no trade in 24 hours'
  return undefined
}

const isNumber = (reading: unknown): reading is Decimal => typeof reading === 'string'

/** Rounded to its column. */
type Kept<Value = Decimal> = Readonly<{ value: Value; isRounded: boolean }>

/** Required fields. */
type Essential = Readonly<{ price: Kept; timestamp: Instant }>

function checkEssential(
  { price, timestamp }: ReadPrice,
  { now }: PriceExpectation,
): Essential | Readonly<{ reason: string }> {
  if (!isNumber(price)) return { reason: 'the price is not a number' }
  if (timestamp === undefined) return { reason: 'the time of the price is missing or not a time' }
  if (timestamp > plus(now, tolerableMs)) return { reason: `dated in the future, at ${toIso(timestamp)}` }
  if (isNegative(price)) return { reason: `price ${price} is negative` }
  const fit = fitTo(price, coinPriceTypes.price)
  if (fit.kind === 'overflows') return { reason: `price ${overflow('price', price)}` }
  if (fit.kind === 'vanishes')
    return { reason: `price ${price} would become 0 at ${coinPriceTypes.price.scale} decimals` }
  return { price: { value: fit.value, isRounded: fit.kind === 'rounded' }, timestamp }
}

function overflow(name: keyof typeof coinPriceTypes, value: Decimal): string {
  const { precision, scale } = coinPriceTypes[name]
  return `${value} does not fit numeric(${precision},${scale})`
}

/** Adds optional numbers; invalid ones are dropped and named. */
function withOptional(read: ReadPrice, { price, timestamp }: Essential): Accepted {
  const { market, coin } = read
  const numbers: Record<string, Decimal | number> = {}
  const dropped: DroppedNumber[] = []
  let roundedValues = Number(price.isRounded)
  for (const name of optionalNumbers) {
    const checked = checkOptional(name, read[name])
    if (checked === undefined) continue
    if ('why' in checked) dropped.push({ market, name, why: checked.why })
    else {
      numbers[name] = checked.value
      roundedValues += Number(checked.isRounded)
    }
  }
  const named = coin === undefined ? {} : { coin }
  return { price: { market, timestamp, price: price.value, ...numbers, ...named }, dropped, roundedValues }
}

/** Undefined: unknown. */
type Checked = Kept<Decimal | number> | Readonly<{ why: string }> | undefined

function checkOptional(name: OptionalNumber, reading: ReadPrice[OptionalNumber]): Checked {
  if (reading === undefined) return undefined
  if (!isNumber(reading)) return { why: 'not a number' }
  if (name === 'rank') return checkRank(reading)
  return name === 'change24h' ? checkChange(reading) : checkSize(name, reading)
}

/** 0 means unknown, also for volume, as tickers without trades are no price. */
function checkSize(name: Exclude<OptionalNumber, 'rank' | 'change24h'>, size: Decimal): Checked {
  if (isNegative(size)) return { why: `${size} is negative` }
  const fit = fitTo(size, coinPriceTypes[name])
  if (fit.kind === 'overflows') return { why: overflow(name, size) }
  if (fit.kind === 'vanishes' || isZero(fit.value)) return undefined
  return { value: fit.value, isRounded: fit.kind === 'rounded' }
}

const everything = toDecimal('-100')

/** 0 is a valid change. */
function checkChange(percent: Decimal): Checked {
  if (compareDecimals(percent, everything) < 0) return { why: `${percent} is a fall by more than 100 %` }
  const fit = fitTo(percent, coinPriceTypes.change24h)
  if (fit.kind === 'overflows') return { why: overflow('change24h', percent) }
  if (fit.kind === 'vanishes') return { value: toDecimal('0'), isRounded: true }
  return { value: fit.value, isRounded: fit.kind === 'rounded' }
}

const mostRank = 1e6

/** 0 means none. */
function checkRank(reading: Decimal): Checked {
  if (isZero(reading)) return undefined
  const rank = Number(reading)
  return Number.isInteger(rank) && rank > 0 && rank < mostRank
    ? { value: rank, isRounded: false }
    : { why: `${reading} is not a rank` }
}

/** Equal duplicates are merged; contradicting ones rejected. */
function withoutRepeats(rows: readonly CheckedPrice[]): readonly CheckedPrice[] {
  const byMarket = new Map<string, CoinPrice[]>()
  for (const row of rows) {
    if (row.kind !== 'accepted') continue
    const different = byMarket.get(row.price.market) ?? []
    if (!different.some((other) => isSame(other, row.price))) different.push(row.price)
    byMarket.set(row.price.market, different)
  }
  return rows.flatMap((row): CheckedPrice[] => {
    if (row.kind !== 'accepted') return [row]
    const { raw, price } = row
    const [first, ...others] = byMarket.get(price.market) ?? []
    if (others.length === 0) return first === price ? [row] : []
    return [
      { raw, kind: 'rejected', market: price.market, reason: 'the answer holds two prices of this market' },
    ]
  })
}

const isSame = (a: CoinPrice, b: CoinPrice): boolean =>
  a.timestamp === b.timestamp && compareDecimals(a.price, b.price) === 0
