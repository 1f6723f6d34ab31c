import { describe, expect, test } from 'vitest'
import { openSite, type Site, storedLines } from '../cli/support/site.ts'
import { engines } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { expectGracefulStop, untilReady } from './ready.ts'

const config = `
track: [bitcoin]
candles: { settleDelay: 1 s }
timeframes:
  1m: { history: 2 hours }
  1h: { history: 2 days }
  1d: { history: 6 days }
`

/** The failed tries of one timeframe's newest candles, and whether there are more to come. */
async function triesOf({ database: { pool } }: Site, timeframe: string) {
  const { rows } = await pool.query<{ failed: string; retry: boolean | null }>(
    `select count(*) as failed, bool_or(will_retry) as retry from ingest_runs
     where job = 'ingest-candles' and payload ->> 'timeframe' = $1 and status = 'failed'`,
    [timeframe],
  )
  return { failed: Number(rows[0]?.failed), willRetry: rows[0]?.retry === true }
}

describe.concurrent.each(engines)('the bad minute of a source, on %s', (engine) => {
  test('costs a candle of an hour or a day no more than the time until the source answers again', async () => {
    await using site = await openSite({ engine, config })
    const outage = ['1h', '1d'].map((interval) => ({
      query: { interval },
      when: 'always' as const,
      fault: { name: 'server-error' as const, status: 503 as const },
    }))
    site.exchange.setFaults(outage)
    const daemon = site.start('start')
    await untilReady(daemon)
    // More tries than a failure of twelve seconds once had.
    await eventually(async () => (await triesOf(site, '1d')).failed >= 5, true, 90_000)
    expect(await triesOf(site, '1h')).toMatchObject({ willRetry: true })
    expect(await storedLines(site, 'bitcoin', '1d')).toEqual([])
    site.exchange.setFaults([])
    // The next run of a minute that succeeds has the others tried at once.
    await eventually(async () => (await storedLines(site, 'bitcoin', '1d')).length > 0, true, 75_000)
    await eventually(async () => (await storedLines(site, 'bitcoin', '1h')).length > 0, true, 75_000)
    await expectGracefulStop(daemon, 'SIGTERM')
  }, 240_000)
})
