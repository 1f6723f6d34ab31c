import { Aborted, Banned, Fault } from '../fault.ts'
import type { Budget } from '../http/budget.ts'
import type { Downloader } from '../http/download.ts'
import type { HttpClient, HttpRequest, SendOptions } from '../http/request.ts'
import { type Instant, second } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Counters } from './counters.ts'

type Http = HttpClient & Downloader

export type RequestCounting = Readonly<{
  /** Counts spent points and pauses. */
  budget(budget: Budget): Budget
  /** Counts requests by outcome. */
  http<T extends Http>(http: T): T
}>

/** Counts at the budget and at the end: the time between belongs to the source. */
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
          // A copy as identity, since equal requests may run at once.
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

/** By fault code; bugs are `error`. */
function outcomeOf(error: unknown, wasSent: boolean): string {
  if (error instanceof Banned && wasSent) return 'banned'
  if (!wasSent && !(error instanceof Aborted)) return 'held-back'
  return error instanceof Fault ? error.code.toLowerCase().replaceAll('_', '-') : 'error'
}
