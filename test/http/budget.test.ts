import { Redis } from 'ioredis'
import { describe, expect } from 'vitest'
import { Aborted, RateLimited } from '../../src/fault.ts'
import { type Budget, openBudget, sliceOf, unlimitedBudget } from '../../src/http/budget.ts'
import type { HttpAnswer, HttpRequest, Lane, RateLimit } from '../../src/http/request.ts'
import { minute, second } from '../../src/market/instant.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { test as base, engines, redisUrl } from '../support/database.ts'

type Asked = Pick<HttpRequest, 'source' | 'weight' | 'rateLimits'>

/** The window less what a busy machine may take to notice that a request was let through. */
const measurableMs = 700

const shares = { share: 0.8, backfillShare: 0.5 }
/** 16 of these points are ours: 8 of them in each second, so that two seconds that meet hold no more than 16. */
const small: RateLimit = { points: 20, perMs: second, usedHeader: 'x-used' }

let sources = 0
/** A request to a source that nobody else asks. */
const aRequest = (over: Partial<Asked> = {}): Asked => {
  sources += 1
  return { source: `asked${sources}`, weight: 1, rateLimits: [small], ...over }
}

const never = new AbortController().signal

const anAnswer = (headers: Record<string, string>): HttpAnswer => ({
  status: 200,
  headers,
  text: '[]',
  answeredAt: systemClock.now(),
})

type Spent = Readonly<{ atMs: number; weight: number; lane: Lane }>

/** Lets as many through as the budget will until the time is over, from so many askers at once. */
async function spend(
  budgets: readonly Budget[],
  request: Asked,
  lane: Lane,
  { askers, forMs }: { askers: number; forMs: number },
): Promise<Spent[]> {
  const spent: Spent[] = []
  const asker = async (budget: Budget) => {
    const end = AbortSignal.timeout(forMs)
    while (!end.aborted) {
      try {
        await budget.take(request, lane, end)
      } catch (error) {
        if (error instanceof Aborted) return
        throw error
      }
      spent.push({ atMs: performance.now(), weight: request.weight, lane })
    }
  }
  await Promise.all(budgets.flatMap((budget) => Array.from({ length: askers }, () => asker(budget))))
  return spent
}

const weightOf = (spent: readonly Spent[]): number => spent.reduce((sum, { weight }) => sum + weight, 0)

/** The most that any window of the length holds, wherever it begins. */
const busiestWindow = (spent: readonly Spent[], lengthMs: number): number =>
  Math.max(
    ...spent.map(({ atMs }) =>
      weightOf(spent.filter((other) => other.atMs >= atMs && other.atMs < atMs + lengthMs)),
    ),
  )

describe('the slices of a limit', () => {
  base.for([
    { points: 6_000, perMs: minute },
    { points: 1_200, perMs: minute },
    { points: 100, perMs: 10 * second },
    { points: 30, perMs: minute },
    { points: 20, perMs: second },
    { points: 10, perMs: minute },
    { points: 3, perMs: second },
    { points: 1, perMs: second },
  ])('of $points in $perMs ms never come to more than the share', (limit) => {
    const { durationMs, live, backfill } = sliceOf(limit, { share: 0.8, backfillShare: 0.7 })
    const touched = Math.ceil(limit.perMs / durationMs) + (live === 1 ? 0 : 1)
    expect(touched * live).toBeLessThanOrEqual(Math.max(1, limit.points * 0.8))
    expect(durationMs % second).toBe(0)
    expect(live).toBeGreaterThanOrEqual(1)
    expect(backfill).toBeLessThan(live === 1 ? 2 : live)
  })

  base('use most of a large limit', () => {
    const { durationMs, live } = sliceOf({ points: 6_000, perMs: minute }, { share: 0.8, backfillShare: 0.7 })
    expect((live * minute) / durationMs).toBeGreaterThan(0.7 * 6_000)
  })
})

describe.each(engines)('on %s', (engine) => {
  /** Two budgets on one store, each with a connection of its own: two processes of the fleet. */
  const test = base.extend('fleet', async ({ pool }, { onCleanup }): Promise<[Budget, Budget]> => {
    if (engine === 'postgres') return [openBudget({ pool }, shares), openBudget({ pool }, shares)]
    const connections = [new Redis(redisUrl ?? ''), new Redis(redisUrl ?? '')] as const
    onCleanup(async () => {
      await Promise.all(connections.map((redis) => redis.quit()))
    })
    return [openBudget({ redis: connections[0] }, shares), openBudget({ redis: connections[1] }, shares)]
  })

  test('no window holds more than the share, however many ask, and the budget is used', async ({ fleet }) => {
    const spent = await spend(fleet, aRequest(), 'live', { askers: 10, forMs: 2_400 })
    expect(busiestWindow(spent, measurableMs)).toBeLessThanOrEqual(small.points * shares.share)
    expect(weightOf(spent)).toBeGreaterThanOrEqual(2 * sliceOf(small, shares).live)
  })

  test('weights count, also those that are larger than a slice', async ({ fleet }) => {
    const request = aRequest({ weight: 12 })
    const spent = await spend(fleet, request, 'live', { askers: 1, forMs: 2_400 })
    expect(weightOf(spent)).toBeGreaterThanOrEqual(12)
    expect(weightOf(spent)).toBeLessThanOrEqual(4 * sliceOf(small, shares).live)
  })

  test('a backfill leaves room for live work at any moment', async ({ fleet }) => {
    const request = aRequest()
    const backfilling = spend(fleet, request, 'backfill', { askers: 10, forMs: 2_400 })
    const live = await spend(fleet.slice(0, 1), request, 'live', { askers: 2, forMs: 2_400 })
    const backfilled = await backfilling
    const { live: slice, backfill } = sliceOf(small, shares)
    expect(busiestWindow(backfilled, measurableMs)).toBeLessThanOrEqual(2 * backfill)
    expect(weightOf(backfilled)).toBeLessThanOrEqual(4 * backfill)
    expect(weightOf(live)).toBeGreaterThanOrEqual(2 * (slice - backfill))
    expect(busiestWindow([...backfilled, ...live], measurableMs)).toBeLessThanOrEqual(16)
  })

  test('one source at its limit does not hold up another', async ({ fleet: [budget] }) => {
    const busy = aRequest()
    for (let i = 0; i < sliceOf(small, shares).live; i += 1) await budget.take(busy, 'live', never)
    const startedAt = performance.now()
    await budget.take(aRequest(), 'live', never)
    expect(performance.now() - startedAt).toBeLessThan(500)
  })

  test('a stop stops everybody, and a long one says how long it still takes', async ({ fleet }) => {
    const request = aRequest()
    await fleet[0].stop(request, 2 * minute)
    for (const budget of fleet) {
      const fault = await budget.take(request, 'live', never).catch((error: unknown) => error)
      expect(fault).toBeInstanceOf(RateLimited)
      if (!(fault instanceof RateLimited)) continue
      expect(fault.waitMs).toBeGreaterThan(2 * minute - 10 * second)
      expect(fault.waitMs).toBeLessThanOrEqual(2 * minute)
      expect(fault.message).toMatch(/^asked\d+ has told us to wait 1\d\d s more$/)
    }
    await fleet[1].take(aRequest(), 'live', never)
  })

  test('a short stop is waited out', async ({ fleet: [budget, other] }) => {
    const request = aRequest()
    await budget.stop(request, second)
    const startedAt = performance.now()
    await other.take(request, 'live', never)
    expect(performance.now() - startedAt).toBeGreaterThan(900)
  })

  test('a stop is only ever made longer', async ({ fleet: [budget, other] }) => {
    const request = aRequest()
    await budget.stop(request, 2 * minute)
    await other.stop(request, second)
    await other.observe(request, anAnswer({ 'x-used': '20' }))
    await expect(budget.take(request, 'live', never)).rejects.toThrow(/wait 1[12]\d s more/)
    await other.stop(request, 10 * minute)
    await expect(budget.take(request, 'live', never)).rejects.toThrow(/wait [56]\d\d s more/)
  })

  test('an answer that tells of a nearly spent limit stops everybody for a slice', async ({ fleet }) => {
    const request = aRequest({ rateLimits: [{ points: 20, perMs: minute, usedHeader: 'x-used' }] })
    await fleet[0].observe(request, anAnswer({ 'x-used': '18' }))
    await fleet[0].observe(request, anAnswer({}))
    await fleet[0].observe(request, anAnswer({ 'x-used': 'many' }))
    await fleet[1].take(request, 'live', never)
    await fleet[0].observe(request, anAnswer({ 'x-used': '19' }))
    await expect(fleet[1].take(request, 'live', never)).rejects.toThrow(RateLimited)
  })

  test('a stop of ours ends the wait for points, and the wait for the end of a stop', async ({ fleet }) => {
    const limit = { points: 20, perMs: minute }
    for (const prepare of [
      async (request: Asked) => {
        for (let i = 0; i < sliceOf(limit, shares).live; i += 1) {
          await fleet[0].take(request, 'live', never)
        }
      },
      (request: Asked) => fleet[0].stop(request, 4 * second),
    ]) {
      const request = aRequest({ rateLimits: [limit] })
      await prepare(request)
      const startedAt = performance.now()
      await expect(fleet[1].take(request, 'live', AbortSignal.timeout(100))).rejects.toThrow(Aborted)
      expect(performance.now() - startedAt).toBeLessThan(2_000)
    }
  })
})

base('without a budget nothing waits, whatever was said', async () => {
  const request = aRequest({ weight: 1_000_000 })
  await unlimitedBudget.stop(request, minute)
  await unlimitedBudget.observe(request, anAnswer({ 'x-used': '1000000' }))
  await unlimitedBudget.take(request, 'backfill', never)
})
