import type { Pause } from '../../http/pauses.ts'
import { type Instant, second } from '../../market/instant.ts'
import type { Clock } from '../../runtime/clock.ts'
import { queueOfSource } from '../../settings/source-ids.ts'
import type { Settings } from '../../settings.ts'
import { budgetShare } from './pace.ts'
import type { BackfillPlan } from './plan.ts'

/** How far a backfill is. */
export type BackfillProgress = Readonly<{
  /** Of the plan's candles, how many are settled. */
  candles: number
  total: number
  /** Of late; undefined until there is something to tell. */
  perSecond: number | undefined
  leftMs: number | undefined
  sources: readonly SourceProgress[]
}>

/** One source that is being asked. */
export type SourceProgress = Readonly<{
  source: string
  requests: number
  planned: number
  /** The part of its request budget that this backfill takes of late; undefined where there is no budget. */
  budgetShare: number | undefined
  /** How long nobody may ask it. */
  stoppedMs: number
}>

type Sample = Readonly<{ at: Instant; candles: number; requests: ReadonlyMap<string, number> }>

/** A job of thousands of candles comes in at once: a rate is told over so long. */
const windowMs = 15 * second

/** Keeps what was seen of late, and tells how fast it goes. */
export class ProgressMeter {
  #samples: Sample[] = []

  /** Takes what is settled and what has been asked for by now. */
  add(sample: Sample): void {
    this.#samples.push(sample)
    // One that is older stays, so that the window is whole.
    while (this.#samples.length > 2 && sample.at - (this.#samples[1]?.at ?? sample.at) >= windowMs)
      this.#samples.shift()
  }

  /** Candles a second; undefined while nothing has moved. */
  perSecond(): number | undefined {
    const { first, last } = this.#ends()
    if (!first || !last || last.at <= first.at || last.candles <= first.candles) return undefined
    return ((last.candles - first.candles) * second) / (last.at - first.at)
  }

  /** The requests of a queue's jobs, and in how long. */
  requestsOf(queue: string): Readonly<{ requests: number; overMs: number }> {
    const { first, last } = this.#ends()
    const at = (sample: Sample | undefined) => sample?.requests.get(queue) ?? 0
    return { requests: Math.max(0, at(last) - at(first)), overMs: last && first ? last.at - first.at : 0 }
  }

  #ends() {
    return { first: this.#samples[0], last: this.#samples.at(-1) }
  }
}

type Surroundings = Readonly<{
  clock: Clock
  settings: Settings
  /** What stands against asking the sources now. */
  pauses(): Promise<readonly Pause[]>
}>

/** Stops are looked up now and then: each source is a question to the store. */
const pausesEveryMs = 5 * second

/** Puts together how far a backfill is, from what is seen of it. */
export class ProgressWatch {
  readonly #surroundings: Surroundings
  readonly #plan: BackfillPlan
  readonly #meter = new ProgressMeter()
  #pauses: readonly Pause[] = []
  #pausesReadAt: Instant | undefined

  constructor(surroundings: Surroundings, plan: BackfillPlan) {
    this.#surroundings = surroundings
    this.#plan = plan
  }

  /** `requests` is what has been asked for by the jobs of each queue, and `working` are the queues that have more of them. */
  async sample(
    candles: number,
    requests: ReadonlyMap<string, number>,
    working: ReadonlySet<string>,
  ): Promise<BackfillProgress> {
    const at = this.#surroundings.clock.now()
    this.#meter.add({ at, candles, requests })
    await this.#pollPauses(at)
    const perSecond = this.#meter.perSecond()
    const total = this.#plan.candles
    const leftMs = perSecond === undefined ? undefined : (Math.max(0, total - candles) * second) / perSecond
    const sources = [...working].map((queue) => this.#progressOf(queue, requests.get(queue) ?? 0))
    return { candles, total, perSecond, leftMs, sources }
  }

  #progressOf(queue: string, requests: number): SourceProgress {
    const ofQueue = this.#plan.series.filter(({ series }) => queueOfSource(series.source) === queue)
    const source = ofQueue[0]?.series.source ?? queue
    const late = this.#meter.requestsOf(queue)
    return {
      source,
      requests,
      planned: ofQueue.reduce((sum, plan) => sum + plan.requests, 0),
      budgetShare: budgetShare(this.#surroundings.settings, source, late.requests, late.overMs),
      stoppedMs: this.#pauses.find((stop) => stop.source === source)?.leftMs ?? 0,
    }
  }

  async #pollPauses(now: Instant): Promise<void> {
    if (this.#pausesReadAt !== undefined && now - this.#pausesReadAt < pausesEveryMs) return
    this.#pausesReadAt = now
    this.#pauses = await this.#surroundings.pauses()
  }
}
