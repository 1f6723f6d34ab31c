import { sql } from 'drizzle-orm'
import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import { type Instant, later, toIso } from '../../market/instant.ts'
import { marketKey } from '../../market/market-key.ts'
import { fromMs } from '../coverage/multirange.ts'
import type { Database, Transaction } from '../transaction.ts'

/** A market to track; `since` is when the symbol came to stand for this coin, where that is said. */
export type NewMarket = Readonly<{ coinId: string; source: string; symbol: string; since?: Instant }>

/** A market that one coin is to track, and another tracks already. */
export type TakenMarket = Readonly<{ coinId: string; source: string; symbol: string; trackedBy: string }>

/** What to do about a market that is another coin's. */
export const takenText = ({ coinId, source, symbol, trackedBy }: TakenMarket): string =>
  `${source}:${symbol} is tracked as ${trackedBy} already, and one market is one coin: to track it as ${coinId}, first stop ${trackedBy} with: ${commandLine`beacon coins remove ${trackedBy}`}`

/** What one spelling of a market has stood for, and stands for. */
export type LifeOf = Readonly<{
  coinId: string
  symbol: string
  listedFrom: Instant | undefined
  listedTo: Instant | undefined
  /** Whether the coin is read from it now; an ended market is not. */
  isTracked: boolean
}>

/** All lives of a market, whichever way its symbol was spelt in each; those that are tracked first. */
export async function readLivesOf(db: Database, source: string, symbol: string): Promise<LifeOf[]> {
  const { rows } = await db.execute<{
    coin_id: string
    symbol: string
    listed_from_ms: string | null
    listed_to_ms: string | null
    is_tracked: boolean
  }>(sql`
    select coin_id, symbol,
      extract(epoch from listed_from) * 1000 as listed_from_ms,
      extract(epoch from listed_to) * 1000 as listed_to_ms,
      tracked_to is null and listed_to is null as is_tracked
    from instruments where source = ${source}
    order by is_tracked desc, shares_market, tracked_from desc, coin_id`)
  const key = marketKey(source, symbol)
  const same = rows.filter((row) => marketKey(source, row.symbol) === key)
  return same.map((row) => ({
    coinId: row.coin_id,
    symbol: row.symbol,
    listedFrom: row.listed_from_ms === null ? undefined : fromMs(row.listed_from_ms),
    listedTo: row.listed_to_ms === null ? undefined : fromMs(row.listed_to_ms),
    isTracked: row.is_tracked,
  }))
}

/** When the last life of a market ended, whichever coin's it was; undefined where none has. */
export async function lastEndOf(db: Database, source: string, symbol: string): Promise<Instant | undefined> {
  return lastEnd(await readLivesOf(db, source, symbol))
}

export const lastEnd = (lives: readonly LifeOf[]): Instant | undefined =>
  latest(...lives.map(({ listedTo }) => listedTo))

export function latest(...instants: readonly (Instant | undefined)[]): Instant | undefined {
  const [first, ...others] = instants.filter((instant) => instant !== undefined)
  return first === undefined ? undefined : others.reduce(later, first)
}

/** The last end, by then, of a market of the coin on a source: earlier candles are those of that market. */
export async function endedBefore(
  { db }: Transaction,
  { coinId, source }: Pick<NewMarket, 'coinId' | 'source'>,
  by: Instant,
): Promise<Instant | undefined> {
  const { rows } = await db.execute<{ ms: string | null }>(sql`
    select extract(epoch from max(listed_to)) * 1000 as ms from instruments
    where coin_id = ${coinId} and source = ${source} and listed_to <= ${toIso(by)}::timestamp`)
  const ms = rows[0]?.ms ?? null
  return ms === null ? undefined : fromMs(ms)
}

/** Throws InvalidInput where a market is another coin's, so that nothing else need be asked of it. */
export async function refuseTaken(db: Database, market: NewMarket): Promise<void> {
  refuseOthers(market, await readLivesOf(db, market.source, market.symbol))
}

/** A market is one coin's, now and at each instant before. */
export function refuseOthers({ coinId, source, symbol, since }: NewMarket, lives: readonly LifeOf[]): void {
  const others = lives.filter((life) => life.coinId !== coinId)
  const tracked = others.find(({ isTracked }) => isTracked)
  if (tracked) throw new InvalidInput(takenText({ coinId, source, symbol, trackedBy: tracked.coinId }))
  const overlapping = others.find(
    ({ listedTo }) => since !== undefined && listedTo !== undefined && listedTo > since,
  )
  if (overlapping?.listedTo !== undefined)
    throw new InvalidInput(
      `${source}:${symbol} stood for ${overlapping.coinId} until ${toIso(overlapping.listedTo)}: give --since ${toIso(overlapping.listedTo)} or later`,
    )
}
