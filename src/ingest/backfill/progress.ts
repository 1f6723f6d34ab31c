import type { Pause } from '../../http/pauses.ts'
import { type Instant, second } from '../../market/instant.ts'
import type { Clock } from '../../runtime/clock.ts'
import { queueOfSource } from '../../settings/source-ids.ts'
import type { Settings } from '../../settings.ts'
import { budgetShare } from './pace.ts'
import type { BackfillPlan } from './plan.ts'

export type BackfillProgress = Readonly<{
  /** Resolved candles of the plan. */
  candles: number
  total: number
  /** Recent rate; undefined at first. */
  perSecond: number | undefined
  leftMs: number | undefined
  sources: readonly SourceProgress[]
}>

export type SourceProgress = Readonly<{
  source: string
  requests: number
  planned: number
  budgetShare: number | undefined
  stoppedMs: number
}>

type Sample = Readonly<{ at: Instant; candles: number; requests: ReadonlyMap<string, number> }>

/** Smooths jobs that commit thousands of candles at once. */
const windowMs = 15 * second

export class ProgressMeter {
  #samples: Sample[] = []

  /** Cumulative values. */
  add(sample: Sample): void {
    this.#samples.push(sample)
    while (this.#samples.length > 2 && sample.at - (this.#samples[1]?.at ?? sample.at) >= windowMs)
      this.#samples.shift()
  }

  /** Candles per second; undefined without progress. */
  perSecond(): number | undefined {
    const { first, last } = this.#ends()
    if (!first || !last || last.at <= first.at || last.candles <= first.candles) return undefined
    return ((last.candles - first.candles) * second) / (last.at - first.at)
  }

  /** Requests of a queue within the window. */
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
  pauses(): Promise<readonly Pause[]>
}>

/** Each source is a query to the store. */
const pausesEveryMs = 5 * second

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

  /** `requests`: total per queue; `working`: queues with more to do. */
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
