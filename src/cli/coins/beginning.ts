import { InvalidInput, Unavailable } from '../../fault.ts'
import type { Fleet } from '../../fleet.ts'
import { silenceMs } from '../../ingest/listing/doubt.ts'
import { longSilence, tradedBefore, tradingIn } from '../../ingest/listing/trading.ts'
import { type Instant, minute, plus, toIso, toMinuteText } from '../../market/instant.ts'
import { candlesFrom } from '../../sources/catalog.ts'
import { lastEndOf } from '../../store/coins/market-owners.ts'
import type { Database } from '../../store/transaction.ts'
import { say } from '../terminal/output.ts'
import type { FoundMarket } from './find-market.ts'

export type NewOnMarket = Readonly<{
  market: FoundMarket
  /** Without `--since`. */
  command: string
  now: Instant
  signal: AbortSignal
}>

/** Checks that a market begins with this coin, by listing date or candles. */
export async function checkBeginning(fleet: Fleet, db: Database, market: NewOnMarket): Promise<void> {
  const { source, symbol, listed } = market.market
  // An ended period bounds the new one already.
  if (listed === undefined || (await lastEndOf(db, source, symbol)) !== undefined) return
  try {
    if (listed.listedAt === undefined) await warnOfSilence(fleet, market)
    else await refuseEarlierCoin(fleet, listed.listedAt, market)
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    say(`Not checked whether ${source}:${symbol} was another coin's before: ${error.message}.`)
  }
}

/**
 * Rejects a market whose symbol was another coin's, with the right command. Continuous candles mean the date was only
 * rewritten.
 */
async function refuseEarlierCoin(
  { context: { http, settings } }: Fleet,
  listedAt: Instant,
  { market: { source: id, symbol }, command, now, signal }: NewOnMarket,
): Promise<void> {
  const source = candlesFrom(id)
  if (!source || listedAt > now) return
  const deps = { http, baseUrls: settings.environment.baseUrls }
  const options = { lane: 'live', signal, now } as const
  const market = { source, symbol }
  const dayBefore = { from: plus(listedAt, -silenceMs), to: listedAt }
  if ((await tradingIn(deps, market, dayBefore, options)) === 'traded') return
  if (!(await tradedBefore(deps, market, listedAt, options))) return
  throw new InvalidInput(
    `${id}:${symbol} is listed since ${toMinuteText(listedAt)} UTC, and its earlier candles are another coin's: track it from then on with: ${command} --since ${sinceText(listedAt)} (with an earlier --since they are taken for this coin's)`,
  )
}

/** A reused symbol has a long silence; so may a small coin. */
async function warnOfSilence(
  { context: { http, settings } }: Fleet,
  { market: { source: id, symbol }, command, now, signal }: NewOnMarket,
): Promise<void> {
  const source = candlesFrom(id)
  if (!source) return
  const deps = { http, baseUrls: settings.environment.baseUrls }
  const silence = await longSilence(deps, { source, symbol }, { lane: 'live', signal, now })
  if (silence === undefined) return
  const [from, to] = [silence.from, silence.to].map((at) => toIso(at).slice(0, 10))
  say(
    `${id}:${symbol} was not traded from ${from} to ${to}: if another coin had the symbol before, leave its candles out with: ${command} --since ${to}`,
  )
}

/** Seconds only if needed. */
const sinceText = (at: Instant): string => `${toIso(at).slice(0, at % minute === 0 ? 16 : 19)}Z`
