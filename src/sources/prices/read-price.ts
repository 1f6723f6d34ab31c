import { z } from 'zod'
import type { CoinNames, CoinPriceRow, Reading } from '../../market/coin-price.ts'
import { type Instant, toInstant } from '../../market/instant.ts'
import { percentChange, percentOfFraction } from '../../market/percent.ts'
import { readDecimal } from '../decoding/json.ts'
import { known } from '../known.ts'

/** Unchecked; see `src/market/coin-price-check.ts`. */
export type WrittenPrice = Readonly<{
  market: string
  timestamp: Instant | undefined
  price: unknown
  /** Trades or coins in 24 hours. */
  traded24h?: unknown
  /** From `readNumber`, `fractionAsPercent` or `changeSince`. */
  change24h?: Reading
  volume24h?: unknown
  marketCap?: unknown
  circulatingSupply?: unknown
  maxSupply?: unknown
  rank?: unknown
  coin?: CoinNames | undefined
}>

/** A row that does not fit `shape` becomes a flaw. */
export function readTicker<Fields>(
  raw: unknown,
  shape: z.ZodType<Fields>,
  write: (fields: Fields) => WrittenPrice,
): CoinPriceRow {
  const row = shape.safeParse(raw)
  if (row.success) return readPrice(raw, write(row.data))
  return { raw, flaw: `${row.error.issues[0]?.path.join('.') || 'the row'} is missing or of another type` }
}

export const readPrice = (raw: unknown, written: WrittenPrice): CoinPriceRow => ({
  raw,
  price: {
    market: written.market,
    timestamp: written.timestamp,
    price: readNumber(written.price),
    ...known('traded24h', readNumber(written.traded24h)),
    ...known('change24h', written.change24h),
    ...known('volume24h', readNumber(written.volume24h)),
    ...known('marketCap', readNumber(written.marketCap)),
    ...known('circulatingSupply', readNumber(written.circulatingSupply)),
    ...known('maxSupply', readNumber(written.maxSupply)),
    ...known('rank', readNumber(written.rank)),
    ...known('coin', written.coin),
  },
})

const longestUnreadable = 40

/** null and empty text mean none. */
export function readNumber(value: unknown): Reading {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string' && value.trim() === '') return undefined
  return (
    readDecimal(value) ?? {
      unreadable: (typeof value === 'string' ? value : typeof value).slice(0, longestUnreadable),
    }
  )
}

const isDecimal = (reading: Reading) => typeof reading === 'string'

/** 0.0068 is 0.68 %. */
export function fractionAsPercent(value: unknown): Reading {
  const fraction = readNumber(value)
  return isDecimal(fraction) ? percentOfFraction(fraction) : fraction
}

/** From the price 24 hours ago. */
export function changeSince(before: unknown, price: unknown): Reading {
  const [from, to] = [readNumber(before), readNumber(price)]
  if (!isDecimal(from)) return from
  return isDecimal(to) ? percentChange(from, to) : undefined
}

const isoTime = z.iso.datetime({ offset: true })

export function readIsoTime(value: unknown): Instant | undefined {
  const { data } = isoTime.safeParse(value)
  return data === undefined ? undefined : toInstant(Date.parse(data))
}
