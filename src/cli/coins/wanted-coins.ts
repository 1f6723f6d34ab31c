import { InvalidInput } from '../../fault.ts'
import type { Fleet } from '../../fleet.ts'
import type { RankedCoin } from '../../sources/coingecko.ts'
import { listCoins } from '../../store/coins.ts'
import { readCount } from '../arguments.ts'
import type { DatabaseSession } from '../session.ts'
import { readUsualPrices } from './compare-price.ts'
import { readRanking } from './ranking.ts'

/** A coin to add, with what CoinGecko has of it: its price is requested when it is first needed, for all coins at once. */
export type WantedCoin = Readonly<{
  coinId: string
  ranked?: RankedCoin
  usualPrice(): Promise<number | undefined>
}>

const mostOfRanking = 1_000

/** The named coins, or the first of the ranking. */
export async function wantedCoins(
  session: DatabaseSession,
  fleet: Fleet,
  names: readonly string[],
  top: string | undefined,
): Promise<WantedCoin[]> {
  if (top === undefined) return namedCoins(session, fleet, names)
  const ranking = await readRanking(fleet, readCount('--top', top, mostOfRanking), session.signal)
  return ranking.map((ranked) => ({ coinId: ranked.id, ranked, usualPrice: async () => ranked.priceUsd }))
}

async function namedCoins(
  session: DatabaseSession,
  fleet: Fleet,
  names: readonly string[],
): Promise<WantedCoin[]> {
  const coinIds: string[] = []
  for (const name of names) coinIds.push(await coinIdOf(session, name))
  let prices: Promise<ReadonlyMap<string, number>> | undefined
  return coinIds.map((coinId) => ({
    coinId,
    usualPrice: async () => {
      prices ??= readUsualPrices(fleet, coinIds, session.signal)
      return (await prices).get(coinId)
    },
  }))
}

/** The id of a coin that is written by its ticker. */
async function coinIdOf({ db, settings }: DatabaseSession, name: string): Promise<string> {
  const known = [...(await listCoins(db)), ...settings.coins]
  if (known.some(({ id }) => id === name)) return name
  const ids = new Set(
    known.filter(({ symbol }) => symbol.toUpperCase() === name.toUpperCase()).map(({ id }) => id),
  )
  if (ids.size > 1) throw new InvalidInput(`${name} is the symbol of ${[...ids].join(' and ')}: write the id`)
  return [...ids][0] ?? name
}
