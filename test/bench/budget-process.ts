import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { RateLimited } from '../../src/fault.ts'
import { openBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import type { HttpRequest, Lane } from '../../src/http/request.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openLog } from '../../src/runtime/log.ts'
import { asked, share } from './budget-limits.ts'

/** One worker of three: asks every source of the bench as often as the budget lets it, until told to stop. */
const {
  BENCH_DATABASE_URL: databaseUrl,
  BENCH_REDIS_URL: redisUrl,
  BENCH_BASE_URL: baseUrl = '',
} = process.env

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())

const pool = new Pool({ connectionString: databaseUrl, max: 10 })
const redis = redisUrl === undefined ? undefined : new Redis(redisUrl)
const log = openLog({ level: 'warn', pretty: false })
const http = openHttpClient({
  clock: systemClock,
  budget: openBudget(redis ? { redis } : { pool }, { share, clock: systemClock, log }),
  log,
  timeoutMs: 20_000,
  maxBodyBytes: 1_000_000,
})

async function ask(request: HttpRequest, lane: Lane): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      await http.get(request, { lane, signal: AbortSignal.any([stop.signal]) })
    } catch (error) {
      // The bench counts what was refused; whoever is told to wait asks again at once, as the next job would.
      if (!(error instanceof RateLimited) && !stop.signal.aborted) throw error
    }
  }
}

await Promise.all(
  asked.flatMap(({ source, weight, rateLimits }) => {
    const request: HttpRequest = {
      source,
      baseUrl,
      standIns: [],
      path: `/${source}`,
      query: {},
      weight,
      rateLimits,
      classify: () => undefined,
    }
    const lanes: readonly Lane[] = ['live', 'repair', 'backfill', 'backfill']
    return lanes.map((lane) => ask(request, lane))
  }),
)
http.close()
redis?.disconnect()
await pool.end()
