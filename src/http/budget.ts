import { setTimeout as wait } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import {
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterStoreAbstract,
} from 'rate-limiter-flexible'
import { Aborted, RateLimited } from '../fault.ts'
import { second } from '../market/instant.ts'
import type { HttpAnswer, HttpRequest, Lane, RateLimit } from './request.ts'

type Costly = Pick<HttpRequest, 'source' | 'weight' | 'rateLimits'>

/** Keeps the whole fleet under each source's limit. Waits where there is nothing left. */
export type Budget = Readonly<{
  /** Returns when the request may be sent. Throws Aborted when the signal says stop first. */
  take(request: Costly, lane: Lane, signal: AbortSignal): Promise<void>
  /** Learns from the answer what the source itself has counted. */
  observe(request: Costly, answer: HttpAnswer): Promise<void>
  /** Stops everybody's requests to the source for as long as it said. */
  stop(request: Costly, forMs: number): Promise<void>
}>

/** For a mirror of one's own: no limit at all. */
export const unlimitedBudget: Budget = {
  take: async () => {},
  observe: async () => {},
  stop: async () => {},
}

export type BudgetStore = Readonly<{ redis: Redis } | { pool: Pool }>
export type BudgetShares = Readonly<{ share: number; backfillShare: number }>

/**
 * The limit's window is cut into at most this many slices, each with its part of the points. A counter that starts
 * whenever it likes could otherwise spend two windows' worth around the moment when the source's own window begins.
 */
const mostSlices = 10

/** How many points of one slice a lane may use, and how long the slice is. No window ever holds more than the share. */
export function sliceOf({ points, perMs }: RateLimit, { share, backfillShare }: BudgetShares) {
  const { durationMs, live } = cut(points * share, perMs)
  return { durationMs, live, backfill: Math.max(1, Math.floor(live * backfillShare)) }
}

/** A slice of two points or more leaves room for live work beside a backfill; a small limit has fewer, longer ones. */
function cut(points: number, perMs: number): { durationMs: number; live: number } {
  for (let slices = mostSlices; slices > 0; slices -= 1) {
    const durationMs = wholeSeconds(perMs / slices)
    // A window that begins in the middle of a slice touches one slice more than fit into it.
    const live = Math.floor(points / (Math.ceil(perMs / durationMs) + 1))
    if (live >= 2) return { durationMs, live }
  }
  // A slice of one point begins with the request that spends it, so no window touches more of them than fit.
  return { durationMs: wholeSeconds(perMs / (points < 1 ? points : Math.floor(points))), live: 1 }
}

/** Redis forgets a counter after whole seconds. */
const wholeSeconds = (ms: number): number => Math.ceil(ms / second) * second

type Limiters = Readonly<{ limit: RateLimit } & Record<Lane, RateLimiterStoreAbstract>>

/** Opens the budget on the store that all processes of the fleet share. */
export function openBudget(store: BudgetStore, shares: BudgetShares): Budget {
  const known = new Map<string, { stopped: RateLimiterStoreAbstract; windows: readonly Limiters[] }>()
  const limitersOf = ({ source, rateLimits }: Costly) => {
    const found = known.get(source)
    if (found) return found
    const stopped = openLimiter(store, `${source}-stopped`, 1, second)
    const windows = rateLimits.map((limit) => {
      const slice = sliceOf(limit, shares)
      const open = (name: string, points: number) =>
        openLimiter(store, `${source}-${name}-${limit.perMs}`, points, slice.durationMs)
      return { limit, live: open('all', slice.live), backfill: open('backfill', slice.backfill) }
    })
    const made = { stopped, windows }
    known.set(source, made)
    return made
  }
  return {
    take: async (request, lane, signal) => {
      const { stopped, windows } = limitersOf(request)
      await respectStop(request.source, stopped, signal)
      for (const { live, backfill } of windows) {
        if (lane === 'backfill') await takePoints(backfill, request.weight, signal)
        await takePoints(live, request.weight, signal)
      }
      await respectStop(request.source, stopped, signal)
    },
    observe: async (request, { headers }) => {
      const { stopped, windows } = limitersOf(request)
      for (const { limit } of windows) {
        const used = Number(headers[limit.usedHeader ?? ''])
        // Others share the address: when the source has counted nearly all of it, the rest of its window is not ours.
        if (Number.isFinite(used) && used > (limit.points * (1 + shares.share)) / 2) {
          await stopFor(stopped, sliceOf(limit, shares).durationMs)
        }
      }
    },
    stop: async (request, forMs) => {
      await stopFor(limitersOf(request).stopped, forMs)
    },
  }
}

function openLimiter(
  store: BudgetStore,
  keyPrefix: string,
  points: number,
  durationMs: number,
): RateLimiterStoreAbstract {
  const options = { keyPrefix, points, duration: durationMs / second }
  return 'redis' in store
    ? new RateLimiterRedis({ ...options, storeClient: store.redis })
    : new RateLimiterPostgres({
        ...options,
        storeClient: store.pool,
        storeType: 'pool',
        tableName: 'request_budget',
        tableCreated: true,
        clearExpiredByTimeout: false,
      })
}

/** A stop is only ever made longer: an answer that was under way may know of a shorter one. */
async function stopFor(stopped: RateLimiterStoreAbstract, ms: number): Promise<void> {
  const state = await stopped.get('')
  if (state && state.consumedPoints > stopped.points && state.msBeforeNext >= ms) return
  await stopped.block('', Math.ceil(ms / second))
}

/** A request that costs more than a slice takes slice after slice until it is paid. */
async function takePoints(
  limiter: RateLimiterStoreAbstract,
  weight: number,
  signal: AbortSignal,
): Promise<void> {
  for (let left = weight; left > 0; left -= limiter.points) {
    await takePart(limiter, Math.min(left, limiter.points), signal)
  }
}

async function takePart(
  limiter: RateLimiterStoreAbstract,
  points: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await limiter.consume('', points)
      return
    } catch (rejection) {
      // The limiter rejects with its answer when nothing is left, and with an error when its store failed.
      if (!(rejection instanceof RateLimiterRes)) throw rejection
      await pause(rejection.msBeforeNext, signal)
    }
  }
}

/** A short stop is waited out; for a longer one the work goes back to its queue and makes room for other work. */
const longestPauseMs = 5 * second

async function respectStop(
  source: string,
  stopped: RateLimiterStoreAbstract,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const state = await stopped.get('')
    if (!state || state.consumedPoints <= stopped.points || state.msBeforeNext <= 0) return
    const { msBeforeNext } = state
    if (msBeforeNext > longestPauseMs) {
      throw new RateLimited(
        `${source} has told us to wait ${Math.ceil(msBeforeNext / second)} s more`,
        msBeforeNext,
      )
    }
    await pause(msBeforeNext, signal)
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(Math.max(ms, 10), undefined, { signal })
  } catch {
    throw new Aborted('stopped while waiting for the request budget')
  }
}
