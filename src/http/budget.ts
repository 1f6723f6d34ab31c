import { setTimeout as wait } from 'node:timers/promises'
import { Aborted, RateLimited } from '../fault.ts'
import { plus, second, toIso } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { type LeakyBucket, openLeakyBucket } from './leaky-bucket.ts'
import type { BudgetStore } from './open-bucket-store.ts'
import { type Pace, paceOf, paymentOf } from './pace.ts'
import { openPauses, type Pause, type Pauses } from './pauses.ts'
import type { HttpAnswer, HttpRequest, Lane, RateLimit } from './request.ts'
import { Turns } from './turns.ts'

type Costly = Pick<HttpRequest, 'source' | 'weight' | 'rateLimits'>

/** Keeps the whole fleet under each source's limits. Waits where there is nothing left. */
export type Budget = Readonly<{
  /**
   * Returns when the request may be sent. Throws RateLimited when the source has told us to wait for long, and Aborted
   * when the signal says stop first.
   */
  take(request: Costly, lane: Lane, signal: AbortSignal): Promise<void>
  /** Learns from the answer what the source itself has counted: others at our address count too. */
  observe(request: Costly, answer: HttpAnswer): Promise<void>
  /**
   * Tells the whole fleet of a stop, and lets nobody ask the source for as long as it lasts. One that is `unserved` is
   * only told: which hosts do not serve it, each process finds out for itself.
   */
  stop(request: Costly, stop: Omit<Pause, 'source'>, reason: string): Promise<void>
  /** What stands against asking these sources now. */
  pauses(sources: readonly string[]): Promise<Pause[]>
}>

/** For a mirror of one's own: no limit at all. */
export const unlimitedBudget: Budget = {
  take: async () => {},
  observe: async () => {},
  stop: async () => {},
  pauses: async () => [],
}

type Surroundings = Readonly<{
  /** The part of each limit that is used. */
  share: number
  clock: Clock
  log: Log
}>

/** Opens the budget on the store that all processes of the fleet share. */
export function openBudget(store: BudgetStore, surroundings: Surroundings): Budget {
  const pauses = openPauses(store)
  const opened = new Map<string, SourceBudget>()
  const budgetOf = ({ source, rateLimits }: Costly) => {
    const found = opened.get(source)
    if (found) return found
    const pace = paceOf(rateLimits, surroundings.share)
    const bucket = openLeakyBucket(store, source, pace)
    const made = new SourceBudget({ ...surroundings, source, rateLimits, pace, bucket, pauses })
    opened.set(source, made)
    return made
  }
  return {
    take: (request, lane, signal) => budgetOf(request).take(request.weight, lane, signal),
    observe: (request, answer) => budgetOf(request).observe(answer),
    stop: (request, stop, reason) => budgetOf(request).stop(stop, reason),
    pauses: async (sources) => {
      const standing: Pause[] = []
      // One after another: each takes a connection, and whoever only looks must not take those of the jobs.
      for (const source of sources) {
        const stop = await pauses.read(source)
        if (stop) standing.push(stop)
      }
      return standing
    },
  }
}

type Parts = Surroundings &
  Readonly<{
    source: string
    rateLimits: readonly RateLimit[]
    pace: Pace
    bucket: LeakyBucket
    pauses: Pauses
  }>

/** A short wait for the end of a stop is waited out; for a longer one the work goes back to its queue. */
const longestPauseMs = 5 * second

class SourceBudget {
  readonly #parts: Parts
  /** Of each lane one at a time asks the bucket: it is a few processes that wait for it, and not each of their jobs. */
  readonly #turns: Readonly<Record<Lane, Turns>> = {
    live: new Turns(),
    repair: new Turns(),
    backfill: new Turns(),
  }
  /** Whether this process knows of a stop, and has not yet seen its end. */
  #knowsOfStop = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async take(weight: number, lane: Lane, signal: AbortSignal): Promise<void> {
    const { pace, bucket } = this.#parts
    const { first, rest, held } = paymentOf(pace, weight)
    const poured = await this.#turns[lane].take(() => this.#pour(first, lane, signal), signal)
    const emptyInMs = rest > 0 ? await bucket.owe(rest) : poured
    const sendInMs = emptyInMs - held
    if (sendInMs > 1) await pause(sendInMs, signal)
    // A stop fills the bucket: only while we slept can there be one that we do not know of.
    if (sendInMs > 1 || this.#knowsOfStop) await this.#respectStop(signal)
  }

  /** Returns the milliseconds until the bucket has leaked dry. */
  async #pour(points: number, lane: Lane, signal: AbortSignal): Promise<number> {
    const { pace, bucket } = this.#parts
    // Whoever is behind us can follow at once when we wait until several of us fit.
    const followers = Math.floor((pace.capacities[lane] / points - 1) / 2)
    for (;;) {
      const poured = await bucket.pour(points, lane)
      if (poured.fits) return poured.emptyInMs
      if (poured.fitsInMs > longestPauseMs) await this.#respectStop(signal)
      const waitMs = poured.fitsInMs + followers * points * pace.perPointMs
      // The bucket is filled before the reason is written down: whoever came in between looks again.
      await pause(Math.min(waitMs, longestPauseMs), signal)
    }
  }

  /** Waits for the end of a short stop, and throws RateLimited for a longer one. */
  async #respectStop(signal: AbortSignal): Promise<void> {
    const { source, pauses, log } = this.#parts
    for (;;) {
      const stop = await pauses.read(source)
      if (!stop || stop.kind === 'unserved') break
      this.#knowsOfStop = true
      if (stop.leftMs > longestPauseMs) {
        const seconds = Math.ceil(stop.leftMs / second)
        throw new RateLimited(`${source} rate-limits us for another ${seconds} s`, stop.leftMs)
      }
      await pause(stop.leftMs, signal)
    }
    if (this.#knowsOfStop) log.info('source.ban-ended', { source })
    this.#knowsOfStop = false
  }

  async observe({ headers, answeredAt }: HttpAnswer): Promise<void> {
    const { rateLimits, share, pace, bucket } = this.#parts
    const slackMs = (pace.burst - 1) * pace.perPointMs
    for (const { points, perMs, usedHeader } of rateLimits) {
      const used = Number(headers[usedHeader ?? ''])
      if (usedHeader === undefined || !Number.isFinite(used)) continue
      const leftMs = perMs - (answeredAt % perMs)
      const spare = Math.max(0, points * share - used)
      // At our own pace the rest of the window would hold too much. The answer tells its time in whole seconds.
      const tooFastByMs = leftMs - spare * pace.perPointMs
      if (tooFastByMs > slackMs + second) await bucket.fillFor(tooFastByMs + slackMs)
    }
  }

  async stop({ kind, leftMs }: Omit<Pause, 'source'>, reason: string): Promise<void> {
    const { source, pauses, clock, log } = this.#parts
    const standing = await pauses.read(source)
    let wholeMs = leftMs
    if (kind === 'unserved') {
      // It must not hide a ban, which ends requests to the hosts that do serve us.
      if (standing && standing.kind !== 'unserved') return
    } else {
      // Somebody may have been told of a longer one in this moment.
      const filledMs = await this.#fillUntilEnd(leftMs)
      if (filledMs > leftMs + second) wholeMs = filledMs
      this.#knowsOfStop = true
      // An answer that was under way may know of a shorter stop, or of the same.
      if (standing && standing.kind !== 'unserved' && standing.leftMs >= leftMs - second) return
    }
    await pauses.write({ source, kind, leftMs: wholeMs })
    const event = kind === 'unserved' ? 'source.unserved' : 'source.banned'
    log.warn(event, { source, kind, until: toIso(plus(clock.now(), wholeMs)), reason })
  }

  /**
   * So full that the next request fits in just when the stop ends. A stop is only ever made longer. Returns the
   * milliseconds until its end.
   */
  async #fillUntilEnd(leftMs: number): Promise<number> {
    const { pace, bucket } = this.#parts
    const burstMs = (pace.burst - 1) * pace.perPointMs
    return Math.ceil((await bucket.fillFor(leftMs + burstMs)) - burstMs)
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(Math.ceil(ms), undefined, { signal })
  } catch {
    throw new Aborted('stopped while waiting for the request budget')
  }
}
