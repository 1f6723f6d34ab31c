import { readFile } from 'node:fs/promises'
import { systemClock } from '../../src/runtime/clock.ts'
import { readSettings } from '../../src/settings.ts'
import { openPool } from '../../src/store/pool.ts'
import { backfill, withFleet } from './end-to-end.ts'
import { memoryExtent } from './memory.ts'

/** A backfill in a process of its own, which tells afterwards what it took. */
const { BENCH_DATABASE_URL: url = '', BINANCE_BASE_URL = '', BINANCE_ARCHIVE_BASE_URL = '' } = process.env
const pool = openPool(url, readSettings({}).database, (error) => {
  throw error
})
const replay = { BINANCE_BASE_URL, BINANCE_ARCHIVE_BASE_URL }
const startedAt = systemClock.now()
const candles = await withFleet({ url, pool }, replay, (fleet) => backfill(fleet, memoryExtent, 'never'))
await pool.end()
const { user, system } = process.cpuUsage()
const reported = { candles, mostKilobytes: await mostKilobytes(), cpuSeconds: (user + system) / 1e6 }
process.stdout.write(`${JSON.stringify({ ...reported, seconds: (systemClock.now() - startedAt) / 1_000 })}\n`)

/** The most memory that this process ever had. `resourceUsage` tells that of its parent where that had more. */
async function mostKilobytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'latin1').catch(() => '')
  const highWater = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]
  return highWater === undefined ? process.resourceUsage().maxRSS : Number(highWater)
}
