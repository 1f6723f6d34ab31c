import { day, hour, type Instant } from '../market/instant.ts'
import type { ListedMarket } from '../sources/source.ts'
import type { MarketLife } from '../store/instruments.ts'

/** What a look at the listing has shown of a market, where that is news. */
export type News = 'unlisted' | 'missing' | 'halted' | 'back' | 'ended' | 'relisted'

export type Judged = Readonly<{ life: MarketLife; news: News | undefined }>

/** A source lies now and then: that a market is gone is believed when a second look, so much later, finds the same. */
const believedAfterMs = hour

/** A market that is listed but not traded for so long has ended: some sources never take one off their list. */
const haltedForGoodMs = 30 * day

/**
 * Judges a followed market by what its source lists under its symbol. Pure, so that it can be read and tested by
 * itself.
 */
export function judgeLife(life: MarketLife, listed: ListedMarket | undefined, now: Instant): Judged {
  if (life.listedTo !== undefined) {
    const isNews = listed?.trading === true && life.relistedAt === undefined
    return isNews ? { life: { ...life, relistedAt: now }, news: 'relisted' } : { life, news: undefined }
  }
  const delistedAt = listed?.delistedAt
  if (!listed || (delistedAt !== undefined && delistedAt <= now)) return judgeMissing(life, delistedAt, now)
  const seen: MarketLife = { ...life, lastListedAt: now, missingSince: undefined }
  if (!listed.trading) return judgeHalted(seen, now)
  const wasAway = life.missingSince !== undefined || life.haltedSince !== undefined
  return {
    life: { ...seen, haltedSince: undefined },
    news: wasAway ? 'back' : undefined,
  }
}

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
