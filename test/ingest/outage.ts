import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { toIso } from '../../src/market/instant.ts'
import { outageOf2018 } from '../../src/replay/faults/outage.ts'
import { at } from '../support/at.ts'
import { keptReport, type Working } from './working.ts'

/** The month that Binance was away for three days in, and how its hours come out of it. */
export const february = { from: at('2018-02-01T00:00Z'), to: at('2018-03-01T00:00Z') }
export const cutShort = { from: at('2018-02-08T00:00Z'), to: at('2018-02-08T01:00Z') }
export const withoutTrades = { from: at('2018-02-08T01:00Z'), to: at('2018-02-09T09:00Z') }
export const besideTheGrid = { from: at('2018-02-09T09:00Z'), to: at('2018-02-11T04:00Z') }

/** Lets the exchange answer as it does since that outage, in its API and in its files. */
export const sufferOutage = ({ exchange }: Working): void =>
  exchange.setFaults([{ when: 'always', fault: { name: 'outage', ...outageOf2018 } }])

type Request = Readonly<{ coinId: string; lane?: 'repair'; archive?: 'monthly' | 'daily' }>

/** Runs the job of that month. */
export const backfillFebruary = ({ context }: Working, { coinId, ...options }: Request) =>
  backfillCandles.run(
    context,
    {
      source: 'binance',
      symbol: 'BTCUSDT',
      coinId,
      timeframe: '1h',
      from: toIso(february.from),
      to: toIso(february.to),
      ...options,
    },
    keptReport(),
  )
