import { InvalidInput } from '../../fault.ts'
import type { Fleet } from '../../fleet.ts'
import { silenceMs } from '../../ingest/listing/doubt.ts'
import { tradedBefore, tradingIn } from '../../ingest/listing/trading.ts'
import { type Instant, minute, plus, toIso, toMinuteText } from '../../market/instant.ts'
import { candlesFrom } from '../../sources/catalog.ts'
import { lastEndOf } from '../../store/coins.ts'
import type { Database } from '../../store/transaction.ts'
import type { FoundMarket } from './find-market.ts'

export type NewOnMarket = Readonly<{
  market: FoundMarket
  /** The command that tracks the market, without `--since`. */
  command: string
  now: Instant
  signal: AbortSignal
}>

/**
 * Refuses a market whose symbol was another coin's before, and proposes the command that begins with its own listing. The
 * listing date alone does not tell: where the candles go on through it, it was only written anew.
 */
export async function refuseEarlierCoin(
  { context: { http, settings } }: Fleet,
  db: Database,
  { market: { source: id, symbol, listed }, command, now, signal }: NewOnMarket,
): Promise<void> {
  const source = candlesFrom(id)
  const listedAt = listed?.listedAt
  if (!source || listedAt === undefined || listedAt > now) return
  // A life that has ended here bounds the new one by itself.
  if ((await lastEndOf(db, id, symbol)) !== undefined) return
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

/** As exact as the instant is. */
const sinceText = (at: Instant): string => `${toIso(at).slice(0, at % minute === 0 ? 16 : 19)}Z`
