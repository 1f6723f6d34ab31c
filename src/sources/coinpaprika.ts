import { z } from 'zod'
import { Malformed } from '../fault.ts'
import type { CoinPriceRow } from '../market/coin-price.ts'
import { type Decimal, isZero } from '../market/decimal.ts'
import { hour, toInstant } from '../market/instant.ts'
import { classifyError } from './errors/classify-error.ts'
import { coinpaprikaErrors } from './errors/coinpaprika-errors.ts'
import { parseLosslessJson, readDecimal } from './json.ts'
import { known } from './known.ts'
import { readRank } from './rank.ts'
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
  // The free plan leaves it out.
  circulating_supply: unknown,
  max_supply: unknown,
  last_updated: z.iso.datetime({ offset: true }),
  quotes: z.object({ USD: quote }),
})

// https://docs.coinpaprika.com/api-reference/tickers/get-tickers-for-all-active-coins
function parseTickers(text: string): CoinPriceRow[] {
  const rows = parseLosslessJson('coinpaprika', text)
  if (!Array.isArray(rows)) throw new Malformed('coinpaprika sent tickers that are not an array')
  return rows.map(readTicker)
}

const named = z.object({ id: z.string() })

function readTicker(raw: unknown): CoinPriceRow {
  const parsed = row.safeParse(raw)
  if (!parsed.success) {
    const { data } = named.safeParse(raw)
    const flaw = `${parsed.error.issues[0]?.path.join('.') || 'the row'} is missing or of another type`
    return { raw, flaw, ...known('market', data?.id) }
  }
  const { id: market, rank, circulating_supply, max_supply, last_updated, quotes } = parsed.data
  const { price: priceText, volume_24h, market_cap, percent_change_24h } = quotes.USD
  const price = readDecimal(priceText)
  if (!price) return { raw, market, flaw: 'quotes.USD.price is not a number' }
  return {
    raw,
    price: {
      market,
      timestamp: toInstant(Date.parse(last_updated)),
      price,
      // No names: those of CoinGecko are ours, and the two spell some coins differently.
      ...known('volume24h', readDecimal(volume_24h)),
      ...known('change24h', readDecimal(percent_change_24h)),
      ...known('marketCap', moreThanZero(market_cap)),
      ...known('circulatingSupply', moreThanZero(circulating_supply)),
      ...known('maxSupply', moreThanZero(max_supply)),
      ...known('rank', readRank(rank)),
    },
  }
}

/** A supply or a market cap that is not known is written as 0, and a coin without a highest supply has 0 of it. */
function moreThanZero(value: unknown): Decimal | undefined {
  const number = readDecimal(value)
  return number === undefined || isZero(number) ? undefined : number
}

export const coinpaprika = {
  id: 'coinpaprika',
  hosts: ['https://api.coinpaprika.com'],
  // The free plan has 20,000 requests a month, here spread evenly: nobody waits days for the next month.
  rateLimits: [{ points: 26, perMs: hour }],
  classify: (answer) => classifyError(coinpaprikaErrors, answer),
  prices: {
    // No coin is named: all of them come in one answer.
    pageSize: Number.MAX_SAFE_INTEGER,
    request: () => ({ path: '/v1/tickers', query: { quotes: 'USD' }, weight: 1 }),
    parse: parseTickers,
  },
} as const satisfies Source
