import { type Instant, toIso } from '../../market/instant.ts'
import { marketKey } from '../../market/market-key.ts'
import { timeframes } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import type { ListedMarket } from '../../sources/listing/listed-market.ts'
import { setAside } from '../../store/candles/foreign-candles.ts'
import {
  lockMarkets,
  type MarketLife,
  readLives,
  renameMarket,
  writeLife,
} from '../../store/coins/instruments.ts'
import { type KnownMarket, readKnownMarkets, recordListing } from '../../store/coins/listed-markets.ts'
import type { Transaction } from '../../store/transaction.ts'
import { type Doubt, doubtOf, isRenamed, isReread } from './doubt.ts'
import { type Evaluated, evaluateLife, type News } from './market-life.ts'
import { candidatesFor, type Listings, provenSuccessor } from './successor.ts'
import type { Trading } from './trading.ts'

export type Finding = Readonly<{
  news: News | 'renamed' | 'reread' | 'shared'
  life: MarketLife
  /** Further details by name. */
  more?: Readonly<Record<string, unknown>>
}>

/** A complete listing and its time. */
export type Poll = Readonly<{ source: string; listing: readonly ListedMarket[]; now: Instant }>

export type ListingCheck = Poll &
  Readonly<{
    /** From candles of doubted markets. */
    trading: ReadonlyMap<string, Trading>
    runId: string
    settings: Pick<Settings, 'timeframes'>
  }>

export const lifeKey = ({ coinId, symbol }: Pick<MarketLife, 'coinId' | 'symbol'>): string =>
  `${coinId} ${symbol}`

export async function findDoubts(
  tx: Transaction,
  { source, listing, now }: Poll,
): Promise<Readonly<{ life: MarketLife; doubt: Doubt }>[]> {
  const before = await readKnownMarkets(tx.db, source)
  const bySymbol = new Map(listing.map((market) => [market.symbol, market]))
  return (await readLives(tx, source)).flatMap((life) => {
    const listed = bySymbol.get(life.symbol)
    const doubt = listed && doubtOf(life, listed, now, before.get(life.symbol))
    return doubt ? [{ life, doubt }] : []
  })
}

/** Compares tracked markets with the listing and records both. */
export async function checkListing(
  tx: Transaction,
  check: ListingCheck,
): Promise<Readonly<{ tracked: number; findings: readonly Finding[] }>> {
  const { source, listing, now } = check
  await lockMarkets(tx)
  const lives = await readLives(tx, source)
  const listings: Listings = {
    now: new Map(listing.map((market) => [market.symbol, market])),
    before: await readKnownMarkets(tx.db, source),
  }
  const findings: Finding[] = sharedMarkets(source, lives)
  for (const life of lives) {
    const successor = freeSuccessor(life, source, lives, listings)
    findings.push(
      ...(successor
        ? [await rename(tx, check, life, listings, successor)]
        : await checkMarket(tx, check, life, listings)),
    )
  }
  await recordListing(tx.db, source, listing, now)
  return { tracked: lives.length, findings }
}

function sharedMarkets(source: string, lives: readonly MarketLife[]): Finding[] {
  const open = lives.filter(({ listedTo }) => listedTo === undefined)
  return open.flatMap((life) => {
    const key = marketKey(source, life.symbol)
    const other = open.find((one) => one !== life && marketKey(source, one.symbol) === key)
    return life.sharesMarket && other ? [{ news: 'shared' as const, life, more: { with: other.coinId } }] : []
  })
}

/** The proven successor of a renamed market, unless another coin tracks it. */
function freeSuccessor(
  life: MarketLife,
  source: string,
  lives: readonly MarketLife[],
  listings: Listings,
): ListedMarket | undefined {
  const successor = life.listedTo === undefined ? provenSuccessor(life, listings) : undefined
  if (!successor) return undefined
  const key = marketKey(source, successor.symbol)
  const isAnothers = lives.some(
    ({ symbol, coinId, listedTo }) =>
      marketKey(source, symbol) === key && coinId !== life.coinId && listedTo === undefined,
  )
  return isAnothers ? undefined : successor
}

async function rename(
  tx: Transaction,
  { source, now }: ListingCheck,
  life: MarketLife,
  { before }: Listings,
  { symbol, base, baseName }: ListedMarket,
): Promise<Finding> {
  const old = before.get(life.symbol)
  const renaming = { oldSymbol: life.symbol, newSymbol: symbol, oldBase: old?.base ?? base, newBase: base }
  // A different spelling of the full name is only reported.
  if (symbol !== life.symbol || renaming.oldBase !== base) await renameMarket(tx, source, life, renaming, now)
  return { news: 'renamed', life, more: { ...renaming, oldName: old?.baseName, newName: baseName } }
}

async function checkMarket(
  tx: Transaction,
  check: ListingCheck,
  life: MarketLife,
  listings: Listings,
): Promise<Finding[]> {
  const listed = listings.now.get(life.symbol)
  const before = listings.before.get(life.symbol)
  const evaluated = evaluateLife(life, listed, check.now, before, check.trading.get(lifeKey(life)))
  await writeLife(tx.db, check.source, evaluated.life)
  const findings: Finding[] = []
  const goesOn = evaluated.life.listedTo === undefined
  if (goesOn && listed && isReread(listed, before))
    findings.push({
      news: 'reread',
      life: evaluated.life,
      more: { oldBase: before?.base, newBase: listed.base },
    })
  if (goesOn && listed && isRenamed(listed, before)) {
    findings.push(await rename(tx, check, evaluated.life, listings, listed))
  }
  if (evaluated.news !== undefined) {
    const more = {
      ...detailsOf(evaluated.news, listed, before),
      ...(await consequencesOf(tx, check, life, evaluated, listings)),
    }
    findings.push({ news: evaluated.news, life: evaluated.life, more })
  }
  return findings
}

function detailsOf(
  news: News,
  listed: ListedMarket | undefined,
  before: KnownMarket | undefined,
): Record<string, unknown> {
  if (news === 'no-coin') return { kind: listed?.kind }
  if (news !== 'redated' && news !== 'reused') return {}
  const text = (at: Instant | undefined) => (at === undefined ? undefined : toIso(at))
  return {
    oldListedAt: text(before?.listedAt),
    newListedAt: text(listed?.listedAt),
    oldName: before?.baseName,
    newName: listed?.baseName,
  }
}

async function consequencesOf(
  tx: Transaction,
  { source, now, runId, settings }: ListingCheck,
  { coinId, symbol: market, isFirst }: MarketLife,
  { life, news, foreignFrom }: Evaluated,
  listings: Listings,
): Promise<Record<string, unknown>> {
  if (news === 'ended') return { candidates: candidatesFor(life, listings) }
  if (foreignFrom === undefined || !isFirst) return {}
  const reason = `the symbol stands for another market since ${toIso(foreignFrom)}`
  const kept = timeframes.filter((timeframe) => settings.timeframes[timeframe])
  const foreign = { coinId, source, market, from: foreignFrom, reason, runId, now }
  return { candlesSetAside: await setAside(tx, foreign, kept) }
}
