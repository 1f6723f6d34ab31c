import { CronExpressionParser } from 'cron-parser'
import { jobs } from '../../jobs/catalog.ts'
import { type Instant, toInstant } from '../../src/market/instant.ts'
import type { AnyJob, Scheduled } from '../../src/queue/job.ts'
import { listCoins } from '../../src/store/coins.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import type { World } from './world.ts'

export type Entry = Readonly<{ job: AnyJob; scheduled: Scheduled<unknown> }>

/** A year of minutes would take days: what only looks whether there is something to do, does so less often. */
const thinned: Readonly<Record<string, string>> = {
  'ingest-candles_binance_1m': '3 2 */3 * * *',
  'retry-retention': '25 2 */6 * * *',
  'ensure-partitions': '40 0 */6 * * *',
  'refresh-views_daily_price_summary_outdated': '35 */6 * * *',
  'repair-gaps_binance': '23 37 */3 * * *',
}

/** The schedule of all jobs, as the coins of now need it. Candles are read from one source alone. */
export async function entriesOf({ context: { pool, settings } }: World): Promise<Entry[]> {
  const coins = await listCoins(databaseOf(pool))
  const isUnused = (id: string) => id.startsWith('sync-instruments_') && id !== 'sync-instruments_binance'
  return jobs.flatMap((job) =>
    (job.schedules?.(settings, coins) ?? [])
      .filter(({ id }) => !isUnused(id))
      .map((scheduled) => ({
        job,
        scheduled: { ...scheduled, pattern: thinned[scheduled.id] ?? scheduled.pattern },
      })),
  )
}

/** What is due when; the times of each entry are computed once. */
export class Timetable {
  readonly entries: readonly Entry[]
  readonly #next = new Map<Entry, Instant>()

  constructor(entries: readonly Entry[]) {
    this.entries = entries
  }

  /** The entries that are due next, and when. */
  dueAfter(now: Instant): { at: Instant; entries: Entry[] } {
    for (const entry of this.entries) {
      const known = this.#next.get(entry)
      if (known === undefined || known <= now) this.#next.set(entry, nextDue(entry.scheduled.pattern, now))
    }
    const at = toInstant(Math.min(...this.#next.values()))
    return { at, entries: this.entries.filter((entry) => this.#next.get(entry) === at) }
  }
}

export function nextDue(pattern: string, after: Instant): Instant {
  const cron = CronExpressionParser.parse(pattern, { currentDate: new Date(after), tz: 'UTC' })
  return toInstant(cron.next().getTime())
}
