import { day, hour, type Instant } from '../../market/instant.ts'
import type { ListedMarket } from '../../sources/listing/listed-market.ts'
import type { MarketLife } from '../../store/coins/instruments.ts'
import type { KnownMarket } from '../../store/coins/listed-markets.ts'
import { type Doubt, doubtOf, isRenamed } from './doubt.ts'
import type { Trading } from './trading.ts'

/** News from a check of the listing. */
export type News =
  | 'unlisted'
  | 'missing'
  | 'halted'
  | 'back'
  | 'ended'
  | 'relisted'
  | 'reused'
  | 'redated'
  | 'no-coin'

export type Evaluated = Readonly<{
  life: MarketLife
  news: News | undefined
  /** From here on the symbol's candles belong to another market. */
  foreignFrom?: Instant
}>

/** Listings are sometimes incomplete: a market is gone after a second check this much later. */
const confirmedAfterMs = hour

/** Some sources never delist: halted this long means ended. */
const haltedForGoodMs = 30 * day

/** Evaluates a tracked market by its current and previous listing; `trading`: candles in the doubted time. Pure. */
export function evaluateLife(
  life: MarketLife,
  listed: ListedMarket | undefined,
  now: Instant,
  before?: KnownMarket,
  trading: Trading = 'unknown',
): Evaluated {
  if (life.listedTo !== undefined) {
    const isNews = listed?.trading === true && life.relistedAt === undefined
    return isNews ? { life: { ...life, relistedAt: now }, news: 'relisted' } : { life, news: undefined }
  }
  const delistedAt = listed?.delistedAt
  if (!listed || (delistedAt !== undefined && delistedAt <= now))
    return evaluateMissing(life, delistedAt, now)
  // A new name after an absence: likely another market.
  if (life.lastListedAt !== undefined && life.missingSince !== undefined && isRenamed(listed, before))
    return reuse(life, life.missingSince, now)
  const doubt = doubtOf(life, listed, now, before)
  const anotherFrom = doubt && beganAnew(doubt, trading)
  if (anotherFrom !== undefined) return reuse(life, anotherFrom, now)
  const evaluated = evaluateListed(life, listed, now)
  return evaluated.news === undefined ? { ...evaluated, news: otherNews(listed, before, doubt) } : evaluated
}

/** When another market began; undefined if candles are continuous. */
function beganAnew({ kind, range }: Doubt, trading: Trading): Instant | undefined {
  if (trading === 'traded') return undefined
  if (kind === 'new-listing-date') return range.to
  // A name alone proves nothing.
  return trading === 'unknown' ? undefined : trading.silentUntil
}

function evaluateListed(life: MarketLife, listed: ListedMarket, now: Instant): Evaluated {
  const seen: MarketLife = { ...life, lastListedAt: now, missingSince: undefined }
  if (!listed.trading) return evaluateHalted(seen, now)
  const wasAway = life.missingSince !== undefined || life.haltedSince !== undefined
  return { life: { ...seen, haltedSince: undefined }, news: wasAway ? 'back' : undefined }
}

function otherNews(
  { kind }: ListedMarket,
  before: KnownMarket | undefined,
  doubt: Doubt | undefined,
): News | undefined {
  if (kind !== undefined && before?.kind !== kind) return 'no-coin'
  return doubt?.kind === 'new-listing-date' ? 'redated' : undefined
}

const reuse = (life: MarketLife, from: Instant, now: Instant): Evaluated => ({
  life: { ...life, listedTo: from, relistedAt: now, missingSince: undefined, haltedSince: undefined },
  news: 'reused',
  foreignFrom: from,
})

function evaluateMissing(life: MarketLife, delistedAt: Instant | undefined, now: Instant): Evaluated {
  const { lastListedAt, missingSince } = life
  // Never listed under this spelling, though it may have candles: not an end.
  if (lastListedAt === undefined && delistedAt === undefined) return { life, news: 'unlisted' }
  if (missingSince === undefined) return { life: { ...life, missingSince: now }, news: 'missing' }
  if (now - missingSince < confirmedAfterMs) return { life, news: undefined }
  return end(life, delistedAt ?? missingSince)
}

function evaluateHalted(life: MarketLife, now: Instant): Evaluated {
  const { haltedSince } = life
  if (haltedSince === undefined) return { life: { ...life, haltedSince: now }, news: 'halted' }
  return now - haltedSince < haltedForGoodMs ? { life, news: undefined } : end(life, haltedSince)
}

const end = (life: MarketLife, listedTo: Instant): Evaluated => ({
  life: { ...life, listedTo, missingSince: undefined, haltedSince: undefined },
  news: 'ended',
})
