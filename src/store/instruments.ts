import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../market/instant.ts'
import { fromMs } from './multirange.ts'
import type { Database, Transaction } from './transaction.ts'

/** What is known of a followed market from the listings of its source. */
export type MarketLife = Readonly<{
  coinId: string
  symbol: string
  followedFrom: Instant
  /** When it ended. */
  listedTo: Instant | undefined
  /** The last look in which it was there. */
  lastListedAt: Instant | undefined
  /** The first look in which it was not there, while that is not yet believed. */
  missingSince: Instant | undefined
  /** Since when it is listed without being traded. */
  haltedSince: Instant | undefined
  /** When its symbol was seen again after its end. */
  relistedAt: Instant | undefined
}>

/** The followed markets of a source, those that have ended included. */
export async function readLives({ db }: Transaction, source: string): Promise<MarketLife[]> {
  const { rows } = await db.execute<{
    coin_id: string
    symbol: string
    followed_ms: string
    ended_ms: string | null
    seen_ms: string | null
    missing_ms: string | null
    halted_ms: string | null
    relisted_ms: string | null
  }>(sql`
    select coin_id, symbol,
      extract(epoch from followed_from) * 1000 as followed_ms,
      extract(epoch from listed_to) * 1000 as ended_ms,
      extract(epoch from last_listed_at) * 1000 as seen_ms,
      extract(epoch from missing_since) * 1000 as missing_ms,
      extract(epoch from halted_since) * 1000 as halted_ms,
      extract(epoch from relisted_at) * 1000 as relisted_ms
    from instruments where source = ${source} and followed_to is null
    order by coin_id, symbol, followed_from
    for update`)
  return rows.map((row) => ({
    coinId: row.coin_id,
    symbol: row.symbol,
    followedFrom: fromMs(row.followed_ms),
    listedTo: instantOf(row.ended_ms),
    lastListedAt: instantOf(row.seen_ms),
    missingSince: instantOf(row.missing_ms),
    haltedSince: instantOf(row.halted_ms),
    relistedAt: instantOf(row.relisted_ms),
  }))
}

const instantOf = (ms: string | null): Instant | undefined => (ms === null ? undefined : fromMs(ms))

/** Writes down what has become of a market. */
export async function writeLife(db: Database, source: string, life: MarketLife): Promise<void> {
  await db.execute(sql`
    update instruments set
      listed_to = ${isoOf(life.listedTo)}::timestamp,
      last_listed_at = ${isoOf(life.lastListedAt)}::timestamp,
      missing_since = ${isoOf(life.missingSince)}::timestamp,
      halted_since = ${isoOf(life.haltedSince)}::timestamp,
      relisted_at = ${isoOf(life.relistedAt)}::timestamp
    where coin_id = ${life.coinId} and source = ${source} and symbol = ${life.symbol}
      and followed_from = ${toIso(life.followedFrom)}::timestamp`)
}

const isoOf = (at: Instant | undefined): string | null => (at === undefined ? null : toIso(at))
