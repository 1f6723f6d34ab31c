import fc from 'fast-check'
import { usualFaults } from '../../src/replay/faults/usual-faults.ts'
import type { Site } from '../cli/support/site.ts'
import type { RedisServer } from '../support/redis-server.ts'

/** Faults of an exchange after which it has the same candles as before: what they cost is time, and no row. */
const passing = [
  'server-error',
  'html',
  'disorder',
  'duplicate-row',
  'object-for-rows',
  'one-row-more',
  'open-candle',
  'cut',
  'reset',
  'too-long-length',
] as const

const shortStops = [
  { name: 'rate-limited', retryAfterSeconds: 2 },
  { name: 'banned', retryAfterSeconds: 3 },
] as const

/** What is struck once a range is being filled, and after how many of its requests. */
export const strike = fc.record({
  afterRequests: fc.integer({ min: 0, max: 4 }),
  at: fc.oneof(
    fc.record({
      what: fc.constant('exchange' as const),
      fault: fc.oneof(
        fc.constantFrom(...passing).map((name) => usualFaults[name]),
        fc.constantFrom(...shortStops),
      ),
      every: fc.integer({ min: 2, max: 3 }),
    }),
    fc.record({ what: fc.constantFrom('sessions', 'lock', 'daemon', 'backfill', 'queue' as const) }),
  ),
})

export type Strike = typeof strike extends fc.Arbitrary<infer T> ? T : never

/** What a strike can reach, beside the two processes that the test itself kills. */
export type Struck = Readonly<{ site: Site; redis: RedisServer | undefined }>

const othersSessions = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`

/** One table, which every load writes: whoever holds a single lock and waits for none is in no deadlock. */
const holdTheCoverage = `begin; lock table candle_coverage in access exclusive mode; select pg_sleep(1); commit`

/** Strikes at a server; a strike at a process is left to whoever started it. */
export async function strikeAt({ site, redis }: Struck, { at }: Strike): Promise<void> {
  const { superuser } = site.database
  if (at.what === 'exchange') site.exchange.setFaults([{ when: { every: at.every }, fault: at.fault }])
  if (at.what === 'sessions' || (at.what === 'queue' && !redis)) await superuser.query(othersSessions)
  if (at.what === 'lock') await superuser.query(holdTheCoverage)
  if (at.what === 'queue') {
    await redis?.ask('client', 'kill', 'type', 'normal')
    await redis?.ask('flushall')
  }
}
