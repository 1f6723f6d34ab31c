import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { hour } from '../market/instant.ts'
import { parseLosslessJson } from './decoding/json.ts'
import { classifyError } from './errors/classify-error.ts'
import { coinpaprikaErrors } from './errors/coinpaprika-errors.ts'
import { readIsoTime, readNumber, readTicker } from './prices/read-price.ts'
import type { Source } from './source.ts'

const unknown = z.unknown().optional()

const quote = z.object({
  price: unknown,
  volume_24h: unknown,
  market_cap: unknown,
  percent_change_24h: unknown,
})

const row = z.object({
  id: z.string(),
  rank: unknown,
  // Absent in the free plan.
  circulating_supply: unknown,
  max_supply: unknown,
  last_updated: unknown,
  quotes: z.object({ USD: quote.catch({}) }).catch({ USD: {} }),
})

// https://docs.coinpaprika.com/api-reference/tickers/get-tickers-for-all-active-coins
function parseTickers(text: string): CoinPriceRow[] {
  const rows = parseLosslessJson('coinpaprika', text)
  if (!Array.isArray(rows)) throw new Malformed('coinpaprika sent tickers that are not an array')
  return rows.map((raw) =>
    readTicker(raw, row, ({ id, last_updated, quotes: { USD }, ...coin }) => ({
      market: id,
      timestamp: readIsoTime(last_updated),
      price: USD.price,
      // No names: spellings differ from CoinGecko's, which we use.
      volume24h: USD.volume_24h,
      change24h: readNumber(USD.percent_change_24h),
      marketCap: USD.market_cap,
      circulatingSupply: coin.circulating_supply,
      maxSupply: coin.max_supply,
      rank: coin.rank,
    })),
  )
}

export const coinpaprika = {
  id: 'coinpaprika',
  hosts: ['https://api.coinpaprika.com'],
  // 20,000 a month in the free plan, spread evenly.
  rateLimits: [{ points: 26, perMs: hour }],
  classify: (answer) => classifyError(coinpaprikaErrors, answer),
  prices: {
    // All coins in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/v1/tickers', query: { quotes: 'USD' }, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
