import { type Instant, toIso } from '../market/instant.ts'
import { timeframes } from '../market/timeframe.ts'
import type { Settings } from '../settings.ts'
import type { ListedMarket } from '../sources/source.ts'
import { setAside } from '../store/foreign-candles.ts'
import { type MarketLife, readLives, renameMarket, writeLife } from '../store/instruments.ts'
import { readKnownMarkets, recordListing } from '../store/listed-markets.ts'
import type { Transaction } from '../store/transaction.ts'
import { isRenamed, type Judged, judgeLife, type News } from './market-life.ts'
import { candidatesFor, type Listings, provenSuccessor } from './successor.ts'

/** One thing to tell of a followed market. */
export type Finding = Readonly<{
  news: News | 'renamed'
  life: MarketLife
  /** What else is worth knowing of it, by name. */
  more?: Readonly<Record<string, unknown>>
}>

/** A source's whole listing, and when it was read. */
export type Look = Readonly<{
  source: string
  listing: readonly ListedMarket[]
  now: Instant
  runId: string
  settings: Pick<Settings, 'timeframes'>
}>

/** Compares the followed markets of a source with its listing, and writes down what has become of them, and the listing. */
export async function lookAtListing(
  tx: Transaction,
  look: Look,
): Promise<Readonly<{ followed: number; findings: readonly Finding[] }>> {
  const { source, listing, now } = look
  const lives = await readLives(tx, source)
  const listings: Listings = {
    now: new Map(listing.map((market) => [market.symbol, market])),
    before: await readKnownMarkets(tx.db, source),
  }
  const findings: Finding[] = []
  for (const life of lives) {
    const successor = freeSuccessor(life, lives, listings)
    findings.push(
      ...(successor
        ? [await rename(tx, look, life, listings, successor)]
        : await lookAtMarket(tx, look, life, listings)),
    )
  }
  await recordListing(tx.db, source, listing, now)
  return { followed: lives.length, findings }
}

/** Under what name a market goes on, where its source has proven it and no other coin is followed there. */
function freeSuccessor(
  life: MarketLife,
  lives: readonly MarketLife[],
  listings: Listings,
): ListedMarket | undefined {
  const successor = life.listedTo === undefined ? provenSuccessor(life, listings) : undefined
  const isAnothers = lives.some(
    ({ symbol, coinId, listedTo }) =>
      symbol === successor?.symbol && coinId !== life.coinId && listedTo === undefined,
  )
  return isAnothers ? undefined : successor
}

async function rename(
  tx: Transaction,
  { source, now }: Look,
  life: MarketLife,
  { before }: Listings,
  { symbol, base }: ListedMarket,
): Promise<Finding> {
  const renaming = {
    oldSymbol: life.symbol,
    newSymbol: symbol,
    oldBase: before.get(life.symbol)?.base ?? base,
    newBase: base,
  }
  await renameMarket(tx, source, life, renaming, now)
  return { news: 'renamed', life, more: renaming }
}

async function lookAtMarket(
  tx: Transaction,
  look: Look,
  life: MarketLife,
  listings: Listings,
): Promise<Finding[]> {
  const listed = listings.now.get(life.symbol)
  const before = listings.before.get(life.symbol)
  const judged = judgeLife(life, listed, look.now, before)
  await writeLife(tx.db, look.source, judged.life)
  const findings: Finding[] = []
  const goesOn = judged.life.listedTo === undefined
  if (goesOn && listed && isRenamed(listed, before)) {
    findings.push(await rename(tx, look, judged.life, listings, listed))
  }
  if (judged.news !== undefined) {
    const more = await consequencesOf(tx, look, life, judged, listings)
    findings.push({ news: judged.news, life: judged.life, more })
  }
  return findings
}

/** An end is told with what the market may go on as, and a symbol of another market leaves no candle of it behind. */
async function consequencesOf(
  tx: Transaction,
  { source, now, runId, settings }: Look,
  { coinId, symbol: market, isFirst }: MarketLife,
  { life, news, foreignFrom }: Judged,
  listings: Listings,
): Promise<Record<string, unknown>> {
  if (news === 'ended') return { candidates: candidatesFor(life, listings) }
  if (foreignFrom === undefined || !isFirst) return {}
  const reason = `the symbol stands for another market since ${toIso(foreignFrom)}`
  const kept = timeframes.filter((timeframe) => settings.timeframes[timeframe])
  const foreign = { coinId, source, market, from: foreignFrom, reason, runId, now }
  return { candlesSetAside: await setAside(tx, foreign, kept) }
}
