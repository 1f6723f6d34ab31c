import { z } from 'zod'
import { Malformed } from '../fault.ts'
import { type CoinDetails, readText, readWebAddress } from '../market/coin-details.ts'
import type { CoinNames, CoinPriceRow } from '../market/coin-price.ts'
import { minute } from '../market/instant.ts'
import { decode } from './decoding/decode.ts'
import { parseJson, parseLosslessJson } from './decoding/json.ts'
import { classifyError } from './errors/classify-error.ts'
import { coingeckoErrors } from './errors/coingecko-errors.ts'
import { known } from './known.ts'
import { readIsoTime, readNumber, readTicker } from './prices/read-price.ts'
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

const unknown = z.unknown().optional()

const row = z.object({
  id: z.string(),
  symbol: unknown,
  name: unknown,
  image: unknown,
  current_price: unknown,
  market_cap: unknown,
  market_cap_rank: unknown,
  total_volume: unknown,
  price_change_percentage_24h: unknown,
  circulating_supply: unknown,
  max_supply: unknown,
  last_updated: unknown,
})

function parseMarkets(text: string): CoinPriceRow[] {
  const rows = parseLosslessJson('coingecko', text)
  if (!Array.isArray(rows)) throw new Malformed('coingecko sent markets that are not an array')
  return rows.map((raw) =>
    readTicker(raw, row, (market) => ({
      market: market.id,
      timestamp: readIsoTime(market.last_updated),
      price: market.current_price,
      coin: readNames(market),
      marketCap: market.market_cap,
      volume24h: market.total_volume,
      change24h: readNumber(market.price_change_percentage_24h),
      circulatingSupply: market.circulating_supply,
      maxSupply: market.max_supply,
      rank: market.market_cap_rank,
    })),
  )
}

/** A coin without an image has the name of a file there: missing_large.png. */
function readNames({ symbol, name, image }: z.infer<typeof row>): CoinNames | undefined {
  if (typeof symbol !== 'string' || typeof name !== 'string') return undefined
  // Tickers are upper case everywhere else.
  return { symbol: symbol.toUpperCase(), name, ...known('imageUrl', readWebAddress(image)) }
}

export const coingecko = {
  id: 'coingecko',
  hosts: ['https://api.coingecko.com'],
  // Without a key the limit is shared by all who use the address: 5 to 15 a minute were seen.
  rateLimits: [{ points: 10, perMs: minute }],
  classify: (answer) => classifyError(coingeckoErrors, answer),
  prices: { pageSize, request: marketsRequest, parse: parseMarkets },
} as const satisfies Source

/** A coin by its place among all, the largest market capitalisation first. */
export type RankedCoin = Readonly<{ id: string; symbol: string; name: string; priceUsd: number | undefined }>

const rankedRows = z.array(
  z.object({ id: z.string(), symbol: z.string(), name: z.string(), current_price: z.number().nullish() }),
)

// https://docs.coingecko.com/reference/coins-markets
/** The ranking, page by page from 1. */
export const coinRanking = {
  pageSize,
  request: (page: number): SourceRequest => ({
    path: '/api/v3/coins/markets',
    query: {
      vs_currency: 'usd',
      order: 'market_cap_desc',
      per_page: String(pageSize),
      page: String(page),
    },
    weight: 1,
  }),
  parse: (text: string): RankedCoin[] => {
    const rows = decode('coingecko', 'a ranking', rankedRows, parseJson('coingecko', text))
    return rows.map(({ id, symbol, name, current_price }) => ({
      id,
      symbol: symbol.toUpperCase(),
      name,
      priceUsd: current_price ?? undefined,
    }))
  },
}

const detailsBody = z.object({
  id: z.string(),
  symbol: z.string(),
  name: z.string(),
  asset_platform_id: unknown,
  description: z.object({ en: z.unknown() }).optional().catch(undefined),
  links: z.object({ homepage: z.unknown(), whitepaper: z.unknown() }).partial().optional().catch(undefined),
  image: z.object({ large: z.unknown() }).optional().catch(undefined),
})

// https://docs.coingecko.com/reference/coins-id
/** What CoinGecko knows of one coin, whose id it is. `parse` throws Malformed where the answer is not about that coin. */
export const coinDetails = {
  request: (coinId: string): SourceRequest => ({
    path: `/api/v3/coins/${encodeURIComponent(coinId)}`,
    query: { localization: 'false', tickers: 'false', community_data: 'false', developer_data: 'false' },
    weight: 1,
  }),
  parse: (text: string, coinId: string): CoinDetails => {
    const body = decode('coingecko', 'details', detailsBody, parseJson('coingecko', text))
    const { id, symbol, name, asset_platform_id, description, links, image } = body
    if (id !== coinId)
      throw new Malformed(`coingecko sent the details of another coin when asked for ${coinId}`)
    const homepages = Array.isArray(links?.homepage) ? links.homepage : []
    return {
      symbol: symbol.toUpperCase(),
      name,
      ...known('imageUrl', readWebAddress(image?.large)),
      ...known('description', readText(description?.en)),
      // Some are empty, and some are no addresses.
      ...known('website', homepages.map(readWebAddress).find(Boolean)),
      ...known('whitepaper', readWebAddress(links?.whitepaper)),
      // The platform a token is issued on. `platforms` would also name those it was only bridged to.
      ...known('blockchainType', readText(asset_platform_id, 50)),
    }
  },
}
