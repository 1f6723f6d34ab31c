import { setTimeout as wait } from 'node:timers/promises'
import { ingestCandles } from '../../../jobs/ingest-candles.ts'
import { enqueueBackfill } from '../../backfill.ts'
import type { Fleet } from '../../fleet.ts'
import { planBackfill } from '../../ingest/backfill/plan.ts'
import { day, type Instant, minute, plus, second } from '../../market/instant.ts'
import { floorTo } from '../../market/timeframe.ts'
import type { ReplayExchange } from '../../replay/exchange.ts'
import type { FaultPlan, FaultRule } from '../../replay/faults.ts'
import type { Log } from '../../runtime/log.ts'
import { reasonOf } from '../../runtime/when-answering.ts'
import { listCoins } from '../../store/coins.ts'
import { databaseOf } from '../../store/transaction.ts'

type Demo = Readonly<{
  fleet: Fleet
  exchange: Pick<ReplayExchange, 'setFaults'>
  signal: AbortSignal
  log: Log
  /** Prints what happens and where to see it. */
  say(text: string): void
}>

/** Slow, so that the backfill can be watched. */
const slowHours: FaultRule = {
  source: 'binance',
  query: { interval: '1h' },
  when: 'always',
  fault: { name: 'drip', bytes: 30_000, everyMs: 1_000 },
}

const ofMinutes = (symbol: string, when: FaultRule['when'], fault: FaultRule['fault']): FaultRule => ({
  source: 'binance',
  query: { symbol, interval: '1m' },
  when,
  fault,
})

/** A revised candle of ethereum. */
const lastingFaults = (tick: Instant): FaultPlan => [
  ofMinutes('ETHUSDT', 'always', {
    name: 'revision',
    openTime: plus(tick, -2 * minute),
    column: 5,
    value: '4321.5678',
  }),
]

/** A missing candle of dogecoin, an impossible one of pepe. */
const faultsOfTick = (tick: Instant): FaultPlan => [
  slowHours,
  ...lastingFaults(tick),
  ofMinutes('DOGEUSDT', 'always', { name: 'hole', row: -1, rows: 1 }),
  ofMinutes('PEPEUSDT', { first: 1 }, { name: 'high-below-low', row: -1 }),
  {
    source: 'coingecko',
    path: '/api/v3/coins/markets',
    when: { first: 1 },
    fault: { name: 'rate-limited', retryAfterSeconds: 20 },
  },
]

/** When a tick has stored its candles, and when a missing one counts as missing. */
const storedMs = 8 * second
const repairedMs = 48 * second

/** Plays a backfill, a rate limit, a missing and repaired, a rejected and a revised candle within two minutes. */
export async function playDemoEvents({ fleet, exchange, signal, say, log }: Demo): Promise<void> {
  const { clock } = fleet.context
  const pause = (ms: number) => wait(ms, undefined, { signal })
  try {
    exchange.setFaults([slowHours])
    await pause(5 * second)
    await backfillHours(fleet)
    say('Backfilling 75 days of hourly candles: see Activity, and Coverage fill.')
    const tick = plus(floorTo('1m', plus(clock.now(), 3 * second)), minute)
    await pause(tick - 2 * second - clock.now())
    exchange.setFaults(faultsOfTick(tick))
    await pause(tick + storedMs - clock.now())
    say(
      'The exchange left out a candle of dogecoin, sent an impossible one of pepe and a changed one of ethereum, and coingecko limits its rate: see Last runs.',
    )
    await pause(tick + repairedMs - clock.now())
    exchange.setFaults(lastingFaults(tick))
    // As the next tick would: the candle that was left out is requested again.
    await fleet.context.enqueue(ingestCandles, [{ source: 'binance', timeframe: '1m' }])
  } catch (error) {
    // The daemon continues.
    if (!signal.aborted) log.warn('demo.events-ended', { reason: reasonOf(error) })
  }
}

async function backfillHours({ context, ...fleet }: Fleet): Promise<void> {
  const { pool, settings, clock } = context
  const coins = await listCoins(databaseOf(pool))
  const now = clock.now()
  const request = {
    // bitcoin is left for the user's first backfill.
    coinIds: coins.map(({ id }) => id).filter((id) => id !== 'bitcoin'),
    timeframes: ['1h'] as const,
    // Days shown by the heatmap and kept by retention.
    range: { from: plus(floorTo('1d', now), -89 * day), to: plus(now, -14 * day) },
  }
  await enqueueBackfill({ context, ...fleet }, await planBackfill(pool, settings, coins, request, now))
}
