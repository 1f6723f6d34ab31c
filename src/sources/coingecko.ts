import { isLosslessNumber } from 'lossless-json'
import { z } from 'zod'
import { type Fault, Malformed, Misconfigured, RateLimited, UnknownMarket } from '../fault.ts'
import type { HttpAnswer } from '../http/request.ts'
import { type CoinDetails, readText, readWebAddress } from '../market/coin-details.ts'
import type { CoinNames, CoinPriceRow } from '../market/coin-price.ts'
import { minute } from '../market/instant.ts'
import { parseJson, parseLosslessJson } from './json.ts'
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

const statusBody = z.union([
  z.object({ error_code: z.unknown() }).transform(({ error_code }) => error_code),
  z.object({ status: z.object({ error_code: z.unknown() }) }).transform(({ status }) => status.error_code),
])

// https://docs.coingecko.com/docs/common-errors-rate-limit
/** A key that is missing, of another plan, or sent to the other plan's host. */
const keyErrors: readonly string[] = ['10002', '10005', '10010', '10011']

/** The rate limit was once seen with HTTP 200: then only the body tells. */
function classify({ status, text }: HttpAnswer): Fault | undefined {
  if (status === 404 && /^\s*\{\s*"error"\s*:\s*"coin not found"/.test(text))
    return new UnknownMarket('coingecko knows no coin of that id')
  if (status !== 200 && status !== 400 && status !== 401 && status !== 403) return undefined
  const code = errorCode(text)
  if (status === 200)
    return code === '429' ? new RateLimited('coingecko asks us to slow down for 60 s', minute) : undefined
  return code !== undefined && keyErrors.includes(code)
    ? new Misconfigured(
        `coingecko refuses the API key (error ${code}): set COINGECKO_API_KEY to a key of the demo plan, or leave it out`,
      )
    : undefined
}

function errorCode(text: string): string | undefined {
  if (!/^\s*\{\s*"(?:status|error_code)"/.test(text)) return undefined
  const body = statusBody.safeParse(parseLosslessJson('coingecko', text))
  return body.success && isLosslessNumber(body.data) ? body.data.value : undefined
}

export const coingecko = {
  id: 'coingecko',
  hosts: ['https://api.coingecko.com'],
  // Without a key the limit is shared by all who use the address: 5 to 15 a minute were seen.
  rateLimits: [{ points: 10, perMs: minute }],
  classify,
  prices: { pageSize, request: marketsRequest, parse: parseMarkets },
} as const satisfies Source

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
    const body = detailsBody.safeParse(parseJson('coingecko', text))
    if (!body.success)
      throw new Malformed(
        `coingecko sent details of another shape at ${body.error.issues[0]?.path.join('.') || 'the top'}`,
      )
    const { id, symbol, name, asset_platform_id, description, links, image } = body.data
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
