import { sql } from 'drizzle-orm'
import { type Instant, toIso } from '../../market/instant.ts'
import { fittingName, isName } from '../../market/name.ts'
import { fromMs } from '../coverage/multirange.ts'
import type { Database } from '../transaction.ts'

/** A market as its source last listed it. */
export type KnownMarket = Readonly<{
  symbol: string
  /** In the common spelling (BTC), like the quote. */
  base: string
  quote: string
  alsoCalled: readonly string[]
  /** The source's own name of the base, where it differs. */
  ownBase: string | undefined
  /** The full name of the base, if the source has it. */
  baseName: string | undefined
  /** What the base is, if not a coin. */
  kind: string | undefined
  /** Listing date, if the source has it. */
  listedAt: Instant | undefined
  /** Start of its unbroken presence in the listings. */
  appearedAt: Instant
  lastSeenAt: Instant
}>

/** Last known listing of a source by symbol, including vanished markets. */
export async function readKnownMarkets(db: Database, source: string): Promise<Map<string, KnownMarket>> {
  const { rows } = await db.execute<{
    symbol: string
    base: string
    quote: string
    also_called: string[]
    own_base: string | null
    base_name: string | null
    kind: string | null
    listed_ms: string | null
    appeared_ms: string
    seen_ms: string
  }>(sql`
    select symbol, base, quote, also_called, own_base, base_name, kind,
      extract(epoch from listed_at) * 1000 as listed_ms,
      extract(epoch from appeared_at) * 1000 as appeared_ms,
      extract(epoch from last_seen_at) * 1000 as seen_ms
    from listed_markets where source = ${source}`)
  return new Map(
    rows.map((row) => [
      row.symbol,
      {
        symbol: row.symbol,
        base: row.base,
        quote: row.quote,
        alsoCalled: row.also_called,
        ownBase: row.own_base ?? undefined,
        baseName: row.base_name ?? undefined,
        kind: row.kind ?? undefined,
        listedAt: row.listed_ms === null ? undefined : fromMs(row.listed_ms),
        appearedAt: fromMs(row.appeared_ms),
        lastSeenAt: fromMs(row.seen_ms),
      },
    ]),
  )
}

type Market = Readonly<{
  symbol: string
  base: string
  quote: string
  alsoCalled?: readonly string[]
  ownBase?: string
  baseName?: string
  kind?: string
  listedAt?: Instant
}>

const longestName = 50
const longestBaseName = 200

/** A market whose names do not fit the columns cannot be tracked: skip it. */
const fits = ({ symbol, base, quote, ownBase = base, alsoCalled = [] }: Market): boolean =>
  [symbol, base, quote, ownBase, ...alsoCalled].every((name) => isName(name, longestName))

/** Stores a complete listing. Markets not in it keep their row. */
export async function recordListing(
  db: Database,
  source: string,
  listing: readonly Market[],
  now: Instant,
): Promise<void> {
  const bySymbol = new Map(listing.filter(fits).map((market) => [market.symbol, market]))
  const rows = [...bySymbol.values()].map(
    ({ symbol, base, quote, alsoCalled = [], listedAt, ...market }) => ({
      symbol,
      base,
      quote,
      also_called: alsoCalled,
      own_base: market.ownBase ?? null,
      base_name: market.baseName === undefined ? null : fittingName(market.baseName, longestBaseName),
      kind: market.kind ?? null,
      listed_at: listedAt === undefined ? null : toIso(listedAt),
    }),
  )
  // A market absent from the previous listing counts as new.
  await db.execute(sql`
    insert into listed_markets
      (source, symbol, base, quote, also_called, own_base, base_name, kind, listed_at, appeared_at, last_seen_at)
    select ${source}, symbol, base, quote, also_called, own_base, base_name, kind, listed_at,
      ${toIso(now)}::timestamp, ${toIso(now)}::timestamp
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as listed
      (
        symbol text, base text, quote text, also_called text[], own_base text, base_name text, kind text,
        listed_at timestamp
      )
    on conflict (source, symbol) do update set
      (base, quote, also_called, own_base, base_name, kind, listed_at, last_seen_at) = (
        excluded.base, excluded.quote, excluded.also_called, excluded.own_base, excluded.base_name, excluded.kind,
        excluded.listed_at, excluded.last_seen_at
      ),
      appeared_at = case
        when listed_markets.last_seen_at < (select max(last_seen_at) from listed_markets where source = ${source})
        then excluded.appeared_at else listed_markets.appeared_at
      end`)
}
