import { Pool } from 'pg'
import { toInstant } from '../../src/market/instant.ts'
import { readPriceHistory } from '../../src/queries/price-history.ts'
import { databaseOf } from '../../src/store/transaction.ts'

const pool = new Pool({ connectionString: process.env.DATABASE_URL, options: '-c TimeZone=UTC' })
const range = { from: toInstant(Date.UTC(2024, 4, 1)), to: toInstant(Date.UTC(2024, 5, 1)) }
const query = { coinId: 'bitcoin', timeframe: '1h', range, newest: 24 } as const
export const candles = await readPriceHistory(databaseOf(pool), query)
await pool.end()
