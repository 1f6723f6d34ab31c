import { day, type Instant, plus } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { ListedMarket } from '../../sources/listing/listed-market.ts'
import type { MarketLife } from '../../store/coins/instruments.ts'
import type { KnownMarket } from '../../store/coins/listed-markets.ts'

/** Why a symbol may stand for another market than before, and the time in which the same one would have been traded. */
export type Doubt = Readonly<{ kind: 'new-listing-date' | 'new-name'; range: Range }>

/** What is traded on every day is one market: another one is not listed within hours of the end of the first. */
export const silenceMs = day

/**
 * What a listing that still has the symbol casts doubt on. A new date alone proves nothing: OKX has dated all of its
 * markets anew. Its candles do: those of one market go on through the date.
 */
export function doubtOf(
  life: MarketLife,
  listed: ListedMarket,
  now: Instant,
  before: KnownMarket | undefined,
): Doubt | undefined {
  const { lastListedAt, missingSince } = life
  if (life.listedTo !== undefined || lastListedAt === undefined) return undefined
  const { listedAt } = listed
  if (listedAt !== undefined && isRedated(life, listed, listedAt, { now, before }))
    return { kind: 'new-listing-date', range: { from: plus(listedAt, -silenceMs), to: listedAt } }
  const mayHaveBeenSilent = missingSince === undefined && now - lastListedAt > silenceMs
  return mayHaveBeenSilent && isRenamed(listed, before)
    ? { kind: 'new-name', range: { from: lastListedAt, to: now } }
    : undefined
}

/** Whether the market is said to begin after it was last seen: trading, or at all where it has halted since. */
function isRedated(
  { lastListedAt, haltedSince }: MarketLife,
  { trading }: ListedMarket,
  listedAt: Instant,
  { now, before }: Readonly<{ now: Instant; before: KnownMarket | undefined }>,
): boolean {
  const lastSeenAt = haltedSince ?? lastListedAt
  if (lastSeenAt === undefined || listedAt <= lastSeenAt) return false
  // It trades before the date that is given: only once that is past can its candles tell.
  if (trading && listedAt > now) return false
  // It had not begun when it was last seen either: its beginning was only put off.
  const wasAnnounced =
    haltedSince !== undefined && before?.listedAt !== undefined && before.listedAt > lastSeenAt
  return !wasAnnounced
}

/** Whether the source calls the coin otherwise now. The symbol is what a market goes by: beside it that is only a name. */
export const isRenamed = (listed: ListedMarket, before: KnownMarket | undefined): boolean =>
  before !== undefined &&
  ((differ(before.base, listed.base) && differ(ownBaseOf(before), ownBaseOf(listed))) ||
    differ(before.baseName, listed.baseName))

/** Whether the source calls the coin as before, and it is known now that this is another coin than it was read as. */
export const isReread = (listed: ListedMarket, before: KnownMarket | undefined): boolean =>
  before !== undefined && differ(before.base, listed.base) && !differ(ownBaseOf(before), ownBaseOf(listed))

const ownBaseOf = ({
  base,
  ownBase,
}: Pick<ListedMarket, 'base'> & { ownBase?: string | undefined }): string => ownBase ?? base

const differ = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && b !== undefined && a.trim().toUpperCase() !== b.trim().toUpperCase()
