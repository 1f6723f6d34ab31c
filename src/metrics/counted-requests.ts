import { Aborted, Banned, Fault } from '../fault.ts'
import type { Budget } from '../http/budget.ts'
import type { Downloader } from '../http/download.ts'
import type { HttpClient, HttpRequest, SendOptions } from '../http/request.ts'
import { type Instant, second } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Counters } from './counters.ts'

type Http = HttpClient & Downloader

export type RequestCounting = Readonly<{
  /** The budget, with what is spent of it and who was told to stop. */
  budget(budget: Budget): Budget
  /** The client that sends within that budget, with what came of each request. */
  http<T extends Http>(http: T): T
}>

/** Counts requests where they are paid for and where they end: both must be asked, for the time between is the source's. */
export function countRequests(counters: Counters, clock: Clock): RequestCounting {
  const sentAt = new WeakMap<object, Instant>()
  return {
    budget: (budget) => ({
      ...budget,
      take: async (request, lane, signal) => {
        const { source, weight } = request
        const askedAt = clock.now()
        try {
          await budget.take(request, lane, signal)
        } finally {
          const waitedMs = clock.now() - askedAt
          if (waitedMs > 0) counters.add('budgetWait', { source, lane }, waitedMs / second)
        }
        counters.add('budgetPoints', { source, lane }, weight)
        sentAt.set(request, clock.now())
      },
      stop: (request, stop, reason) => {
        counters.add('pauses', { source: request.source, kind: stop.kind })
        return budget.stop(request, stop, reason)
      },
    }),
    http: (http) => {
      const follow =
        <A>(send: (request: HttpRequest, options: SendOptions) => Promise<A>) =>
        async (request: HttpRequest, options: SendOptions): Promise<A> => {
          // A request of its own: the same question may be under way twice.
          const own = { ...request }
          const { source } = request
          let outcome = 'ok'
          try {
            return await send(own, options)
          } catch (error) {
            outcome = outcomeOf(error, sentAt.has(own))
            throw error
          } finally {
            counters.add('requests', { source, outcome })
            const since = sentAt.get(own)
            if (since !== undefined) {
              counters.observe('requestDuration', { source }, (clock.now() - since) / second)
            }
          }
        }
      return { ...http, get: follow(http.get), download: follow(http.download) }
    },
  }
}

/** The fault by its code; a bug has none. */
function outcomeOf(error: unknown, wasSent: boolean): string {
  if (error instanceof Banned && wasSent) return 'banned'
  if (!wasSent && !(error instanceof Aborted)) return 'held-back'
  return error instanceof Fault ? error.code.toLowerCase().replaceAll('_', '-') : 'error'
}
