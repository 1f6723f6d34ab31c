import { isLosslessNumber } from 'lossless-json'
import { z } from 'zod'
import { type Fault, Malformed, RateLimited } from '../fault.ts'
import type { HttpAnswer } from '../http/request.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import type { Decimal } from '../market/decimal.ts'
import { minute, toInstant } from '../market/instant.ts'
import { parseLosslessJson, readDecimal } from './json.ts'
import type { Source, SourceRequest } from './source.ts'

// https://docs.coingecko.com/reference/coins-markets
const pageSize = 250

const marketsRequest = (coinIds: readonly string[]): SourceRequest => ({
  path: '/api/v3/coins/markets',
  query: {
    vs_currency: 'usd',
    ids: coinIds.join(','),
    per_page: String(pageSize),
    page: '1',
    precision: 'full',
  },
  weight: 1,
})

const row = z.object({
  id: z.string(),
  symbol: z.string(),
  name: z.string(),
  image: z.string().nullish(),
  current_price: z.unknown(),
  market_cap: z.unknown(),
  market_cap_rank: z.unknown(),
  total_volume: z.unknown(),
  price_change_percentage_24h: z.unknown(),
  circulating_supply: z.unknown(),
  max_supply: z.unknown(),
  last_updated: z.iso.datetime({ offset: true }),
})

function parseMarkets(text: string): CoinPriceRow[] {
  const rows = parseLosslessJson('coingecko', text)
  if (!Array.isArray(rows)) throw new Malformed('coingecko sent markets that are not an array')
  return rows.map(readMarket)
}

function readMarket(raw: unknown): CoinPriceRow {
  const parsed = row.safeParse(raw)
  if (!parsed.success)
    return {
      raw,
      flaw: `${parsed.error.issues[0]?.path.join('.') || 'the row'} is missing or of another type`,
    }
  const market = parsed.data
  const price = readDecimal(market.current_price)
  if (!price) return { raw, market: market.id, flaw: 'current_price is not a number' }
  return {
    raw,
    price: {
      market: market.id,
      timestamp: toInstant(Date.parse(market.last_updated)),
      price,
      coin: {
        // Tickers are upper case everywhere else.
        symbol: market.symbol.toUpperCase(),
        name: market.name,
        ...(market.image ? { imageUrl: market.image } : {}),
      },
      ...known('marketCap', market.market_cap),
      ...known('volume24h', market.total_volume),
      ...known('change24h', market.price_change_percentage_24h),
      ...known('circulatingSupply', market.circulating_supply),
      ...known('maxSupply', market.max_supply),
      ...knownRank(market.market_cap_rank),
    },
  }
}

/** Any number but the price may be null: unknown is absent, not zero. */
function known<Name extends string>(name: Name, value: unknown): Partial<Record<Name, Decimal>> {
  const number = readDecimal(value)
  return number === undefined ? {} : ({ [name]: number } as Record<Name, Decimal>)
}

/** A rank is a small whole number, and what is not one is not known. */
function knownRank(value: unknown): { rank?: number } {
  const rank = isLosslessNumber(value) ? Number(value.value) : undefined
  return rank !== undefined && Number.isInteger(rank) && rank > 0 && rank < 1e6 ? { rank } : {}
}

const limitBody = z.object({ status: z.object({ error_code: z.unknown() }) })

/** The rate limit was once seen with HTTP 200: then only the body tells. */
function classify({ status, text }: HttpAnswer): Fault | undefined {
  if (status !== 200 || !/^\s*\{\s*"status"/.test(text)) return undefined
  const body = limitBody.safeParse(parseLosslessJson('coingecko', text))
  const code =
    body.success && isLosslessNumber(body.data.status.error_code)
      ? body.data.status.error_code.value
      : undefined
  return code === '429' ? new RateLimited('coingecko asks us to slow down for 60 s', minute) : undefined
}

export const coingecko = {
  id: 'coingecko',
  hosts: ['https://api.coingecko.com'],
  // Without a key the limit is shared by all who use the address: 5 to 15 a minute were seen.
  rateLimits: [{ points: 10, perMs: minute }],
  classify,
  prices: { pageSize, request: marketsRequest, parse: parseMarkets },
} as const satisfies Source
