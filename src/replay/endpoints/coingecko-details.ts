import type { Instant } from '../../market/instant.ts'
import { toIso } from '../../market/instant.ts'
import { type Answer, ok, RefusedRequest } from '../answer.ts'
import { type Market, markets } from '../markets.ts'

// https://docs.coingecko.com/reference/coins-id

const flags = [
  'localization',
  'tickers',
  'market_data',
  'community_data',
  'developer_data',
  'sparkline',
  'dex_pair_format',
  'x_cg_demo_api_key',
]

/** Tokens and their contracts. */
const contracts: Readonly<Record<string, string>> = {
  'shiba-inu': '0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce',
  pepe: '0x6982508145454ce325ddbe47a25d4ec3d2311933',
}

/** Flags only remove parts that are absent here anyway. */
export function coinDetails(coinId: string, query: URLSearchParams, now: Instant): Answer {
  for (const name of query.keys())
    if (!flags.includes(name)) throw new RefusedRequest(400, { error: `unknown parameter ${name}` })
  const market = markets.find((candidate) => candidate.coinId === coinId)
  if (!market) throw new RefusedRequest(404, { error: 'coin not found' })
  return ok({
    id: coinId,
    symbol: market.base.toLowerCase(),
    name: market.coinName,
    web_slug: coinId,
    ...platformOf(coinId),
    categories: [],
    preview_listing: false,
    public_notice: null,
    additional_notices: [],
    description: { en: `${market.coinName} as it is played from a recording.\r\n\r\nNot the real one.` },
    // Padded with empty texts.
    links: {
      homepage: [`https://${coinId}.example/`, '', ''],
      whitepaper: contracts[coinId] === undefined ? `https://${coinId}.example/${coinId}.pdf` : '',
      blockchain_site: [],
      official_forum_url: ['', '', ''],
    },
    image: imagesOf(market),
    country_origin: '',
    status_updates: [],
    last_updated: toIso(now),
  })
}

function platformOf(coinId: string) {
  const contract = contracts[coinId]
  return contract === undefined
    ? { asset_platform_id: null, platforms: { '': '' } }
    : { asset_platform_id: 'ethereum', platforms: { ethereum: contract } }
}

const imagesOf = ({ image }: Market) => ({
  thumb: image.replace('/large/', '/thumb/'),
  small: image.replace('/large/', '/small/'),
  large: image,
})
