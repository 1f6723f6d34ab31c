import { day, type Instant, plus } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import type { ListedMarket } from '../../sources/listing/listed-market.ts'
import type { MarketLife } from '../../store/coins/instruments.ts'
import type { KnownMarket } from '../../store/coins/listed-markets.ts'

/** Why a symbol may mean another market, and the time when the old one should have traded. */
export type Doubt = Readonly<{ kind: 'new-listing-date' | 'new-name'; range: Range }>

/** A market traded daily is continuous; exchanges do not relist within hours. */
export const silenceMs = day

/**
 * Doubts about a listed symbol. A new listing date alone proves nothing (OKX redated all markets); continuous candles
 * show the same market.
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

function isRedated(
  { lastListedAt, haltedSince }: MarketLife,
  { trading }: ListedMarket,
  listedAt: Instant,
  { now, before }: Readonly<{ now: Instant; before: KnownMarket | undefined }>,
): boolean {
  const lastSeenAt = haltedSince ?? lastListedAt
  if (lastSeenAt === undefined || listedAt <= lastSeenAt) return false
  // It trades before its date: check once that has passed.
  if (trading && listedAt > now) return false
  // An announced market whose start was postponed.
  const wasAnnounced =
    haltedSince !== undefined && before?.listedAt !== undefined && before.listedAt > lastSeenAt
  return !wasAnnounced
}

/** The source renamed the coin; the symbol identifies the market, so this is only a hint. */
export const isRenamed = (listed: ListedMarket, before: KnownMarket | undefined): boolean =>
  before !== undefined &&
  ((differ(before.base, listed.base) && differ(ownBaseOf(before), ownBaseOf(listed))) ||
    differ(before.baseName, listed.baseName))

/** The source's name is the same, but our mapping of it changed. */
export const isReread = (listed: ListedMarket, before: KnownMarket | undefined): boolean =>
  before !== undefined && differ(before.base, listed.base) && !differ(ownBaseOf(before), ownBaseOf(listed))

const ownBaseOf = ({
  base,
  ownBase,
}: Pick<ListedMarket, 'base'> & { ownBase?: string | undefined }): string => ownBase ?? base

const differ = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && b !== undefined && a.trim().toUpperCase() !== b.trim().toUpperCase()
