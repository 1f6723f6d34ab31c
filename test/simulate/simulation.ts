import { z } from 'zod'
import { enforceRetention } from '../../jobs/enforce-retention.ts'
import { day, hour, type Instant, minute, plus } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { usualFaults } from '../../src/replay/faults/usual-faults.ts'
import { drawHappenings, type Happening, type What } from './happenings.ts'
import { type Entry, entriesOf, nextDue, Timetable } from './timetable.ts'
import type { World } from './world.ts'

/** A value that the exchange changed, and since when its answers have it. */
export type Revision = Readonly<{ coinId: string; openTime: Instant; volume: string }>

export type Extent = Readonly<{ start: Instant; days: number; seed: number }>

/** Symbols of the simulated exchange. */
export const symbols: Readonly<Record<string, string>> = {
  bitcoin: 'BTCUSDT',
  ethereum: 'ETHUSDT',
  dogecoin: 'DOGEUSDT',
}

export type Simulated = Readonly<{
  revisions: readonly Revision[]
  happenings: readonly Happening[]
  jobs: number
  /** What was not as it should be while it happened. */
  wrong: readonly string[]
}>

/** Lets the days pass: each job when it is due, each happening in its hour. */
export class Simulation {
  readonly #world: World
  readonly #extent: Extent
  readonly #revisions: Revision[] = []
  readonly #wrong: string[] = []
  #jobs = 0
  /** Happenings that are still to come. */
  #coming: Happening[]
  #downUntil: Instant
  #faultyUntil: Instant | undefined
  #expectsFailure = false

  constructor(world: World, extent: Extent) {
    this.#world = world
    this.#extent = extent
    this.#downUntil = extent.start
    this.#coming = drawHappenings(extent.days, extent.seed)
  }

  async run(onDay: (day: number) => void, signal: AbortSignal): Promise<Simulated> {
    const { start, days, seed } = this.#extent
    const end = plus(start, days * day)
    let now = start
    let today = floorTo('1d', start)
    let timetable = await this.#timetable()
    // As at any first start: everything that would have been due has never run.
    for (const entry of inOrder(timetable.entries)) await this.#run(entry)
    while (now < end) {
      signal.throwIfAborted()
      const due = timetable.dueAfter(now)
      now = due.at
      if (now >= end) break
      await this.#letHappen(now)
      if (now < this.#downUntil) {
        now = await this.#startAgain(now, timetable.entries)
        continue
      }
      await this.#world.setClock(now)
      for (const entry of due.entries) await this.#run(entry)
      if (floorTo('1d', now) === today) continue
      today = floorTo('1d', now)
      timetable = await this.#timetable()
      onDay(Math.floor((now - start) / day))
    }
    await this.#world.setClock(end)
    const happenings = drawHappenings(days, seed)
    return { revisions: this.#revisions, happenings, jobs: this.#jobs, wrong: this.#wrong }
  }

  async #timetable(): Promise<Timetable> {
    return new Timetable(await entriesOf(this.#world))
  }

  async #run({ job, scheduled }: Entry): Promise<void> {
    this.#jobs += 1
    const fault = await this.#world.run(job, scheduled.payload)
    if (fault && !this.#expectsFailure) this.#wrong.push(`${job.name} failed: ${fault.message}`)
  }

  /** What was missed while nothing ran is done once, after what it needs. */
  async #startAgain(since: Instant, timetable: readonly Entry[]): Promise<Instant> {
    const now = this.#downUntil
    await this.#world.setClock(now)
    const missed = timetable.filter(
      ({ scheduled: { whenMissed, pattern } }) =>
        whenMissed === 'run-once' && nextDue(pattern, plus(since, -1)) < now,
    )
    for (const entry of inOrder(missed)) await this.#run(entry)
    return now
  }

  async #letHappen(now: Instant): Promise<void> {
    if (this.#faultyUntil !== undefined && now >= this.#faultyUntil) await this.#endFaults()
    const [next] = this.#coming
    if (!next || now < plus(this.#extent.start, next.day * day + next.hour * hour + 30 * minute)) return
    this.#coming = this.#coming.slice(1)
    await this.#world.setClock(now)
    await this.#happen(next.what, now)
  }

  async #happen(what: What, now: Instant): Promise<void> {
    const world = this.#world
    switch (what.kind) {
      case 'source-outage':
      case 'failing-requests': {
        const when = what.kind === 'source-outage' ? ('always' as const) : { every: 3 }
        world.setFaults([
          { source: 'binance', when, fault: usualFaults[when === 'always' ? 'server-error' : 'cut'] },
        ])
        world.isFaulty = true
        this.#faultyUntil = plus(now, what.hours * hour)
        this.#expectsFailure = true
        return
      }
      case 'downtime':
        this.#downUntil = plus(now, what.hours * hour)
        return
      case 'revision':
        // The newest candle that is stored: the next tick requests it once more.
        this.#revise(what.coin, plus(floorTo('1h', plus(now, -minute)), -hour))
        return
      case 'wrong-clock': {
        world.clock.move(2 * day)
        const fault = await world.run(enforceRetention, { agreed: false })
        if (!fault) this.#wrong.push('retention believed a clock that is two days ahead')
        world.clock.move(-2 * day)
        await world.run(enforceRetention, { agreed: false })
        return
      }
      case 'database-restart':
        await world.server.restart()
        await untilConnected(world)
        return
      case 'lost-sessions':
        await loseSessions(world)
        return
      case 'delisting':
        await delist(world)
        world.setFaults([])
        return
      default:
        throw new Error(`nothing is known of ${what satisfies never}`)
    }
  }

  #revise(coinId: string, openTime: Instant): void {
    const volume = '7.12345000'
    this.#world.lasting.unshift({
      ...{ source: 'binance', path: '/api/v3/klines', when: 'always' },
      query: { symbol: symbols[coinId] ?? '', interval: '1h' },
      fault: { name: 'revision', openTime, column: 5, value: volume },
    })
    this.#revisions.push({ coinId, openTime, volume })
    this.#world.setFaults([])
  }

  /** An outage of hours has left failing jobs behind, which is what alerts are made of. */
  async #endFaults(): Promise<void> {
    this.#faultyUntil = undefined
    this.#expectsFailure = false
    this.#world.isFaulty = false
    this.#world.setFaults([])
  }
}

const inOrder = (entries: readonly Entry[]): Entry[] =>
  entries.toSorted((a, b) => (a.scheduled.missedDelayMs ?? 0) - (b.scheduled.missedDelayMs ?? 0))

async function loseSessions({ pool }: World): Promise<void> {
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
  )
}

/** Connections of before the restart fail once, and are replaced. */
async function untilConnected({ pool }: World): Promise<void> {
  for (let tries = 0; tries < 20; tries += 1) await pool.query('select 1').catch(() => undefined)
  await pool.query('select 1')
}

/** From now on the listing omits dogecoin, which is not traded any more. */
async function delist({ exchange, lasting }: World): Promise<void> {
  const response = await fetch(`${exchange.urlOf('binance')}/api/v3/exchangeInfo`)
  const body = listing.parse(await response.json())
  const left = body.symbols.filter(({ symbol }) => symbol !== symbols.dogecoin)
  lasting.push({
    ...{ source: 'binance', path: '/api/v3/exchangeInfo', when: 'always' },
    fault: { name: 'error-answer', status: 200, body: jsonOf({ ...body, symbols: left }) },
  })
}

const listing = z.looseObject({ symbols: z.array(z.looseObject({ symbol: z.string() })) })
const jsonOf = (value: object) => z.json().parse(value)
