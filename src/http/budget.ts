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

/** Enforces each source's limits across processes by waiting. */
export type Budget = Readonly<{
  /** Resolves when the request may be sent. Throws RateLimited for a long pause, Aborted on abort. */
  take(request: Costly, lane: Lane, signal: AbortSignal): Promise<void>
  /** Uses the source's own count, which includes other clients of our address. */
  observe(request: Costly, answer: HttpAnswer): Promise<void>
  /** Pauses a source for all processes. `unserved` is only reported: each process finds the hosts itself. */
  stop(request: Costly, stop: Omit<Pause, 'source'>, reason: string): Promise<void>
  pauses(sources: readonly string[]): Promise<Pause[]>
}>

export const unlimitedBudget: Budget = {
  take: async () => {},
  observe: async () => {},
  stop: async () => {},
  pauses: async () => [],
}

type Surroundings = Readonly<{
  share: number
  clock: Clock
  log: Log
}>

/** On the store shared by all processes. */
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
      // Sequential: must not take connections from jobs.
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

/** Shorter pauses are waited out; for longer ones the job returns to its queue. */
const longestPauseMs = 5 * second

class SourceBudget {
  readonly #parts: Parts
  readonly #turns: Readonly<Record<Lane, Turns>> = {
    live: new Turns(),
    repair: new Turns(),
    backfill: new Turns(),
  }
  /** A pause is known and its end not yet seen. */
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
    // A pause fills the bucket, so an unknown one can only have begun while we slept.
    if (sendInMs > 1 || this.#knowsOfStop) await this.#respectStop(signal)
  }

  /** Returns ms until the bucket is empty. */
  async #pour(points: number, lane: Lane, signal: AbortSignal): Promise<number> {
    const { pace, bucket } = this.#parts
    // Waits until several requests fit, so that followers need not wait again.
    const followers = Math.floor((pace.capacities[lane] / points - 1) / 2)
    for (;;) {
      const poured = await bucket.pour(points, lane)
      if (poured.fits) return poured.emptyInMs
      if (poured.fitsInMs > longestPauseMs) await this.#respectStop(signal)
      const waitMs = poured.fitsInMs + followers * points * pace.perPointMs
      // The bucket is filled before the reason is stored: check again.
      await pause(Math.min(waitMs, longestPauseMs), signal)
    }
  }

  /** Waits for a short pause, throws RateLimited for a long one. */
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
      // The answer's time has whole seconds.
      const tooFastByMs = leftMs - spare * pace.perPointMs
      if (tooFastByMs > slackMs + second) await bucket.fillFor(tooFastByMs + slackMs)
    }
  }

  async stop({ kind, leftMs }: Omit<Pause, 'source'>, reason: string): Promise<void> {
    const { source, pauses, clock, log } = this.#parts
    const standing = await pauses.read(source)
    let wholeMs = leftMs
    if (kind === 'unserved') {
      // Must not hide a ban.
      if (standing && standing.kind !== 'unserved') return
    } else {
      // A longer pause may have come at the same time.
      const filledMs = await this.#fillUntilEnd(leftMs)
      if (filledMs > leftMs + second) wholeMs = filledMs
      this.#knowsOfStop = true
      // Concurrent answers may report a shorter or the same pause.
      if (standing && standing.kind !== 'unserved' && standing.leftMs >= leftMs - second) return
    }
    await pauses.write({ source, kind, leftMs: wholeMs })
    const event = kind === 'unserved' ? 'source.unserved' : 'source.banned'
    log.warn(event, { source, kind, until: toIso(plus(clock.now(), wholeMs)), reason })
  }

  /** Fills the bucket so that the next request fits at the pause's end; never shortens. Returns ms until then. */
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
