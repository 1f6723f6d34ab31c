import { sql } from 'drizzle-orm'
import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import { type Instant, later, toIso } from '../../market/instant.ts'
import { marketKey } from '../../market/market-key.ts'
import { fromMs } from '../coverage/multirange.ts'
import type { Database, Transaction } from '../transaction.ts'

/** A market to track; `since`: when the symbol began to mean this coin. */
export type NewMarket = Readonly<{ coinId: string; source: string; symbol: string; since?: Instant }>

/** A market that another coin tracks already. */
export type TakenMarket = Readonly<{ coinId: string; source: string; symbol: string; trackedBy: string }>

/** Reports a market that another coin tracks, with the command that stops it. */
export const takenText = ({ coinId, source, symbol, trackedBy }: TakenMarket): string =>
  `${source}:${symbol} is tracked as ${trackedBy} already, and one market is one coin: to track it as ${coinId}, first stop ${trackedBy} with: ${commandLine`beacon coins remove ${trackedBy}`}`

/** One coin's period of a market. */
export type LifeOf = Readonly<{
  coinId: string
  symbol: string
  listedFrom: Instant | undefined
  listedTo: Instant | undefined
  /** False for ended markets. */
  isTracked: boolean
}>

/** All periods of a market in any spelling; tracked ones first. */
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

/** The latest end of a market, of any coin; undefined if none. */
export async function lastEndOf(db: Database, source: string, symbol: string): Promise<Instant | undefined> {
  return lastEnd(await readLivesOf(db, source, symbol))
}

export const lastEnd = (lives: readonly LifeOf[]): Instant | undefined =>
  latest(...lives.map(({ listedTo }) => listedTo))

export function latest(...instants: readonly (Instant | undefined)[]): Instant | undefined {
  const [first, ...others] = instants.filter((instant) => instant !== undefined)
  return first === undefined ? undefined : others.reduce(later, first)
}

/** The latest end, up to `by`, of the coin's markets on a source: earlier candles are theirs. */
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

/** Throws InvalidInput if the market belongs to another coin. */
export async function refuseTaken(db: Database, market: NewMarket): Promise<void> {
  refuseOthers(market, await readLivesOf(db, market.source, market.symbol))
}

/** At each instant a market belongs to one coin only. */
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
