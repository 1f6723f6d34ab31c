import type { Filled } from '../../ingest/candle-writer.ts'
import { changedValues, type Difference, differenceKinds } from '../../ingest/verify/compare-with-source.ts'
import type { Unread, UnreadCause, VerificationPlan } from '../../ingest/verify/verification-plan.ts'
import type { Verification } from '../../ingest/verify.ts'
import type { Candle } from '../../market/candle.ts'
import { toIso, toMinuteText } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'
import { counted } from '../../status/words.ts'
import { countText } from '../terminal/output.ts'
import { seriesCommand } from './series-command.ts'

const rangeJson = ({ from, to }: Range) => ({ from: toIso(from), to: toIso(to) })

/** Exact prices and ISO instants as text. */
export function verificationJson(plan: VerificationPlan, found: Verification, repaired: Filled | undefined) {
  const { counts, examples } = found
  const kinds = differenceKinds.map((kind) => {
    const some = examples.filter((example) => example.kind === kind)
    return [kind, { candles: counts[kind], examples: some.map(exampleJson) }]
  })
  return {
    coinId: plan.coinId,
    timeframe: plan.timeframe,
    ...rangeJson(plan.wanted),
    ...(plan.sampled === undefined ? {} : { sampled: plan.sampled }),
    sources: found.sources,
    identical: found.identical,
    ...Object.fromEntries(kinds),
    quarantined: found.quarantined,
    discarded: found.discarded,
    notFetched: found.notFetched,
    unread: found.unread.map(({ range, ...rest }) => ({ ...rest, ...rangeJson(range) })),
    ...(repaired === undefined ? {} : { repaired: { new: repaired.new, revised: repaired.revised } }),
  }
}

const exampleJson = ({ openTime, stored, given, reason }: Difference) => ({
  openTime: toIso(openTime),
  ...(stored === undefined ? {} : { stored: valuesOf(stored) }),
  ...(given === undefined ? {} : { given: valuesOf(given) }),
  ...(reason === undefined ? {} : { reason }),
})

const valuesOf = ({ open, high, low, close, volume }: Candle) => ({ open, high, low, close, volume })

export function verificationText(
  plan: VerificationPlan,
  found: Verification,
  repaired: Filled | undefined,
): string {
  const { coinId, timeframe, wanted, sampled } = plan
  const sources = found.sources.map(
    ({ source, symbol, candles, requests }) =>
      `${source}:${symbol} (${counted(candles, 'open time')}, ${counted(requests, 'request')})`,
  )
  const against = sources.length === 0 ? 'nothing' : sources.join(', ')
  const part = sampled ? `, ${sampled.pages} of ${counted(sampled.of, 'page')} by --seed ${sampled.seed}` : ''
  return [
    `${coinId} ${timeframe}, ${rangeText(wanted)}${part}, against ${against}`,
    '',
    ...countLines(plan, found),
    ...found.examples.map(exampleText),
    ...unreadLines(found.unread),
    ...(repaired === undefined
      ? []
      : [
          `repaired: ${countText(repaired.new)} new, ${countText(repaired.revised)} revised with their old values kept`,
        ]),
  ].join('\n')
}

const rangeText = ({ from, to }: Range): string => `${toMinuteText(from)} to ${toMinuteText(to)}`

function countLines(
  { coinId, timeframe, wanted }: VerificationPlan,
  { identical, counts, quarantined, discarded, notFetched }: Verification,
): string[] {
  const load = seriesCommand('backfill', { coinId, timeframe, ...wanted })
  const lines: (readonly [string, number, string])[] = [
    ['identical', identical, ''],
    ['revised', counts.revised, 'the source has other values'],
    ['missing', counts.missing, 'at the source and not in the table'],
    ['extra', counts.extra, 'in the table and not at the source'],
    ...(counts.refused > 0
      ? [['refused', counts.refused, 'stored, but what the source returns for it now is rejected'] as const]
      : []),
    ...(quarantined > 0
      ? [['quarantined', quarantined, 'not stored: the source returned rejected values'] as const]
      : []),
    ...(discarded > 0 ? [['discarded', discarded, 'not stored: discarded by hand'] as const] : []),
    ...(notFetched > 0
      ? [['not fetched', notFetched, `not fetched yet. Load them with: ${load}`] as const]
      : []),
  ]
  const width = Math.max(...lines.map(([, count]) => countText(count).length))
  return lines.map(([name, count, words]) =>
    `${name.padEnd(12)}${countText(count).padStart(width)}  ${words}`.trimEnd(),
  )
}

function exampleText({ kind, openTime, stored, given, reason }: Difference): string {
  const at = `${kind}: ${toMinuteText(openTime)}`
  if (stored && given) {
    const changes = changedValues(stored, given).map((name) => `${name} ${stored[name]}, now ${given[name]}`)
    return `${at}  ${changes.join('; ')}`
  }
  const candle = stored ?? given
  const values = candle ? Object.entries(valuesOf(candle)).map(([name, value]) => `${name} ${value}`) : []
  return `${at}  ${values.join(' ')}${reason === undefined ? '' : `; ${reason}`}`
}

function unreadLines(unread: readonly Unread[]): string[] {
  const groups = new Map<string, Unread[]>()
  for (const marketRange of unread) {
    const key = `${marketRange.source} ${marketRange.cause}`
    groups.set(key, [...(groups.get(key) ?? []), marketRange])
  }
  return [...groups.values()].map((group) => {
    const candles = group.reduce((sum, marketRange) => sum + marketRange.candles, 0)
    const ranges = group.slice(0, 3).map(({ range }) => rangeText(range))
    const more = group.length > 3 ? [`${countText(group.length - 3)} more`] : []
    const words = group.slice(0, 1).map(({ source, cause }) => unreadWords(source)[cause])
    return `not compared: ${counted(candles, 'open time')} (${[...ranges, ...more].join(', ')}): ${words.join()}`
  })
}

const unreadWords = (source: string): Readonly<Record<UnreadCause, string>> => ({
  'past-retention': 'not stored, and past its retention',
  'beyond-source': `${source} no longer gives what is so old`,
  'before-listing': `the symbol stood for another market on ${source} then`,
  ended: `the market had ended on ${source}`,
  'no-market': `its market on ${source} is no longer tracked`,
  'other-source': `it came from ${source}`,
  unanswered: `${source} had nothing to say of it`,
  'market-gone': `${source} does not know the market any more`,
})
