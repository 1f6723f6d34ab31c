import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { openSite, type Site } from '../cli/support/site.ts'
import { engines, redisUrl } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { expectGracefulStop, getJson, untilReady } from './ready.ts'

// A short history, so that the backfills are soon over.
const sixCoins = `
track: [bitcoin, ethereum, dogecoin, shiba-inu, pepe, ripple]
timeframes:
  1m: { history: 2 hours }
  5m: { history: 6 hours }
  1h: { history: 2 days }
  1d: { history: 6 days }
`

/** Neither a job of the start nor a backfill is under way or waits. */
async function isIdle({ database: { pool } }: Site): Promise<boolean> {
  const { rows } = await pool.query<{ running: string; runs: string }>(
    `select count(*) filter (where status = 'running') as running, count(*) as runs from ingest_runs`,
  )
  return Number(rows[0]?.runs) > 20 && rows[0]?.running === '0'
}

async function sessionsOf({ database: { pool } }: Site): Promise<string[]> {
  const { rows } = await pool.query<{ application_name: string }>(
    `select application_name from pg_stat_activity
     where datname = current_database() and application_name like 'beacon%'`,
  )
  return rows.map((row) => row.application_name)
}

async function redisClients({ variables }: Site): Promise<number> {
  const { pathname } = new URL(variables.REDIS_URL ?? '')
  const redis = new Redis(redisUrl ?? '')
  try {
    const list = String(await redis.client('LIST'))
    return list.split('\n').filter((line) => line.includes(` db=${pathname.slice(1)} `)).length
  } finally {
    redis.disconnect()
  }
}

describe.concurrent.each(engines)('an idle daemon of six coins on %s', (engine) => {
  test('has no more connections open than 20 to PostgreSQL and 8 to Redis, also while its page is read', async () => {
    await using site = await openSite({ engine, config: sixCoins })
    const daemon = site.start('start')
    const url = await untilReady(daemon)
    await eventually(() => isIdle(site), true)
    await Promise.all(
      ['/api/status', '/api/sources', '/api/maintenance', '/api/database', '/readyz'].map((path) =>
        getJson(url, path),
      ),
    )
    const sessions = await sessionsOf(site)
    expect(sessions.length, sessions.join(', ')).toBeLessThanOrEqual(20)
    expect(sessions).toContain('beacon daemon')
    if (engine === 'redis') {
      const clients = await redisClients(site)
      expect(clients).toBeLessThanOrEqual(8)
      expect(clients).toBeGreaterThan(2)
    }
    await expectGracefulStop(daemon, 'SIGTERM')
  }, 120_000)
})
