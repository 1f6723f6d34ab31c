import { second } from '../market/instant.ts'
import type { Log } from '../runtime/log.ts'

export const noExchangeReachable =
  'No exchange can be reached from this machine: check the network or HTTPS_PROXY'

/** A request without a connection. */
export const unreachableText = (source: string, host: string, code: string): string =>
  `${source} cannot be reached at ${host} (${code})`

/** Recognizes stored messages too. */
export const isUnreachableText = (message: string): boolean => /\bcannot be reached at \S+ \(/.test(message)

type Outage = { reason: string; jobs: number; isReported: boolean; readonly since: number }

/** Ignores short interruptions and groups failing jobs. */
const settleMs = 10 * second

/** Reports an outage once when it begins and ends, with its failed jobs; if no source answers, as a network outage. */
export class Reachability {
  readonly #log: Log
  readonly #settleMs: number
  readonly #outages = new Map<string, Outage>()
  readonly #answering = new Set<string>()
  #isNetworkDown = false
  #timer: NodeJS.Timeout | undefined

  constructor(log: Log, { settle = settleMs }: Readonly<{ settle?: number }> = {}) {
    this.#log = log
    this.#settleMs = settle
  }

  answered(source: string): void {
    this.#answering.add(source)
    const outage = this.#outages.get(source)
    if (outage === undefined) return
    this.#outages.delete(source)
    if (!outage.isReported) return
    const { jobs } = outage
    if (this.#isNetworkDown) {
      this.#isNetworkDown = false
      // The others are reported again if still unreachable.
      const all = [outage, ...this.#outages.values()].reduce((sum, one) => sum + one.jobs, 0)
      this.#outages.clear()
      this.#log.info('network.reachable', { source, jobs: all, outageMs: this.#outageMs(outage) })
    } else this.#log.info('source.reachable', { source, jobs, outageMs: this.#outageMs(outage) })
  }

  /** Unreachable, or a server error. */
  failed(source: string, reason: string): void {
    this.#answering.delete(source)
    const outage = this.#outages.get(source)
    if (outage) outage.reason = reason
    else this.#outages.set(source, { reason, jobs: 0, isReported: false, since: performance.now() })
    if (!outage?.isReported) this.#timer ??= setTimeout(() => this.report(), this.#settleMs).unref()
  }

  jobFailed(source: string): void {
    const outage = this.#outages.get(source)
    if (outage) outage.jobs += 1
  }

  /** Reports new outages. */
  report(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const outages = [...this.#outages].filter(([, { isReported }]) => !isReported)
    for (const [, outage] of outages) outage.isReported = true
    const [first] = outages
    if (first === undefined || this.#isNetworkDown) return
    const isAll = this.#answering.size === 0 && outages.length === this.#outages.size
    if (isAll && outages.every(([, { reason }]) => isUnreachableText(reason))) {
      this.#isNetworkDown = true
      const jobs = outages.reduce((sum, [, outage]) => sum + outage.jobs, 0)
      const sources = outages.map(([source]) => source)
      this.#log.warn('network.unreachable', {
        message: noExchangeReachable,
        sources,
        jobs,
        reason: first[1].reason,
      })
      return
    }
    for (const [source, { reason, jobs }] of outages)
      this.#log.warn('source.unreachable', { source, jobs, reason })
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #outageMs({ since }: Outage): number {
    return Math.round(performance.now() - since)
  }
}
