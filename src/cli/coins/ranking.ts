import type { Fleet } from '../../fleet.ts'
import { coingecko, coinRanking, type RankedCoin } from '../../sources/coingecko.ts'
import { toHttpRequest } from '../../sources/source.ts'

/** The first coins by market capitalisation, as CoinGecko ranks them; fewer where it has no more. */
export async function readRanking(
  { context: { http, settings } }: Fleet,
  count: number,
  signal: AbortSignal,
): Promise<RankedCoin[]> {
  const coins: RankedCoin[] = []
  for (let page = 1; coins.length < count; page += 1) {
    const request = toHttpRequest(coingecko, coinRanking.request(page), settings.environment.baseUrls)
    const { text } = await http.get(request, { lane: 'live', signal })
    const found = coinRanking.parse(text)
    coins.push(...found)
    if (found.length < coinRanking.pageSize) break
  }
  return coins.slice(0, count)
}
