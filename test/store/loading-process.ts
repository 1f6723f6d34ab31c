import { readSettings } from '../../src/settings.ts'
import { openPool } from '../../src/store/pool.ts'
import { atMs } from '../support/at.ts'
import { aBatch, aCandle, load } from './loading.ts'

// Loads one candle as a process of its own: `loading-process.ts DATABASE_URL COIN_ID OPEN_TIME`.
const [url = '', coinId = '', openTime = ''] = process.argv.slice(2)
const pool = openPool(url, readSettings({}).database, (error) => {
  throw error
})
const series = { coinId, timeframe: '1m', source: 'binance' } as const
await load(pool, aBatch(series, [aCandle(atMs(Number(openTime)))]))
await pool.end()
