import { day, hour, type Instant } from '../market/instant.ts'
import type { ListedMarket } from '../sources/source.ts'
import type { MarketLife } from '../store/instruments.ts'
import type { KnownMarket } from '../store/listed-markets.ts'

/** What a look at the listing has shown of a market, where that is news. */
export type News = 'unlisted' | 'missing' | 'halted' | 'back' | 'ended' | 'relisted' | 'reused'

export type Judged = Readonly<{
  life: MarketLife
  news: News | undefined
  /** From then on, what was read under the symbol are the candles of another market. */
  foreignFrom?: Instant
}>

/** A source lies now and then: that a market is gone is believed when a second look, so much later, finds the same. */
const believedAfterMs = hour

/** A market that is listed but not traded for so long has ended: some sources never take one off their list. */
const haltedForGoodMs = 30 * day

/**
 * Judges a followed market by what its source lists under its symbol now, and listed there when the symbol was last seen.
 * Pure, so that it can be read and tested by itself.
 */
export function judgeLife(
  life: MarketLife,
  listed: ListedMarket | undefined,
  now: Instant,
  before?: KnownMarket,
): Judged {
  if (life.listedTo !== undefined) {
    const isNews = listed?.trading === true && life.relistedAt === undefined
    return isNews ? { life: { ...life, relistedAt: now }, news: 'relisted' } : { life, news: undefined }
  }
  const delistedAt = listed?.delistedAt
  if (!listed || (delistedAt !== undefined && delistedAt <= now)) return judgeMissing(life, delistedAt, now)
  const anotherFrom = beganAnew(life, listed, before)
  if (anotherFrom !== undefined) return reuse(life, anotherFrom, now)
  const seen: MarketLife = { ...life, lastListedAt: now, missingSince: undefined }
  if (!listed.trading) return judgeHalted(seen, now)
  const wasAway = life.missingSince !== undefined || life.haltedSince !== undefined
  return {
    life: { ...seen, haltedSince: undefined },
    news: wasAway ? 'back' : undefined,
  }
}

/** Since when the symbol stands for another market than the one we last saw there; undefined while it is the same. */
function beganAnew(
  { lastListedAt, missingSince }: MarketLife,
  listed: ListedMarket,
  before: KnownMarket | undefined,
): Instant | undefined {
  if (lastListedAt === undefined) return undefined
  // Another coin's name, and a look between in which there was none: nothing proves that they are the same.
  if (missingSince !== undefined && isRenamed(listed, before)) return missingSince
  const { listedAt } = listed
  if (listedAt === undefined || listedAt <= lastListedAt) return undefined
  // When we last saw it, it had not begun either: its beginning was only put off.
  const wasAnnounced = before?.listedAt !== undefined && before.listedAt > lastListedAt
  return wasAnnounced ? undefined : listedAt
}

/** Whether the source calls the coin otherwise now. The symbol is what a market goes by: beside it that is only a name. */
export const isRenamed = ({ base }: ListedMarket, before: KnownMarket | undefined): boolean =>
  before !== undefined && before.base.toUpperCase() !== base.toUpperCase()

const reuse = (life: MarketLife, from: Instant, now: Instant): Judged => ({
  life: { ...life, listedTo: from, relistedAt: now, missingSince: undefined, haltedSince: undefined },
  news: 'reused',
  foreignFrom: from,
})

function judgeMissing(life: MarketLife, delistedAt: Instant | undefined, now: Instant): Judged {
  const { lastListedAt, missingSince } = life
  // A spelling that its listing does not know, though its candles may: that is no end.
  if (lastListedAt === undefined && delistedAt === undefined) return { life, news: 'unlisted' }
  if (missingSince === undefined) return { life: { ...life, missingSince: now }, news: 'missing' }
  if (now - missingSince < believedAfterMs) return { life, news: undefined }
  return end(life, delistedAt ?? missingSince)
}

function judgeHalted(life: MarketLife, now: Instant): Judged {
  const { haltedSince } = life
  if (haltedSince === undefined) return { life: { ...life, haltedSince: now }, news: 'halted' }
  return now - haltedSince < haltedForGoodMs ? { life, news: undefined } : end(life, haltedSince)
}

const end = (life: MarketLife, listedTo: Instant): Judged => ({
  life: { ...life, listedTo, missingSince: undefined, haltedSince: undefined },
  news: 'ended',
})
