import type { ReplayLimits } from '../../src/replay/exchange.ts'
import type { FaultPlan } from '../../src/replay/faults.ts'

/** Nobody waits for a picture longer than it takes to load what it shows. */
export const boundless: ReplayLimits = 'none'

/** What the days of a real exchange have: hours without a trade, and a candle that cannot be believed. */
export const faults: FaultPlan = [
  {
    source: 'binance',
    query: { symbol: 'PEPEUSDT', interval: '1h' },
    when: { nth: 2 },
    fault: { name: 'hole', row: 300, rows: 61 },
  },
  {
    source: 'binance',
    query: { symbol: 'SHIBUSDT', interval: '1h' },
    when: { nth: 2 },
    fault: { name: 'high-below-low', row: 700 },
  },
]
