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
  /** The command that tracks the market, without `--since`. */
  command: string
  now: Instant
  signal: AbortSignal
}>

/**
 * Sees to it that a market begins with its own coin: by its listing date, or, where its source gives none, by what its
 * candles suggest.
 */
export async function checkBeginning(fleet: Fleet, db: Database, market: NewOnMarket): Promise<void> {
  const { source, symbol, listed } = market.market
  // A life that has ended here bounds the new one by itself.
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
 * Refuses a market whose symbol was another coin's before, and proposes the command that begins with its own listing. The
 * listing date alone does not tell: where the candles go on through it, it was only written anew.
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

/** A symbol that was another coin's before was not traded for a while between the two; so may any small coin. */
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

/** As exact as the instant is. */
const sinceText = (at: Instant): string => `${toIso(at).slice(0, at % minute === 0 ? 16 : 19)}Z`
