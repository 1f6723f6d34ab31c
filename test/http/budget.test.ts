import { describe, expect, test as withoutStore } from 'vitest'
import { Aborted, RateLimited } from '../../src/fault.ts'
import { type Budget, openBudget, unlimitedBudget } from '../../src/http/budget.ts'
import { openLeakyBucket } from '../../src/http/leaky-bucket.ts'
import { paceOf } from '../../src/http/pace.ts'
import { openPauses } from '../../src/http/pauses.ts'
import type { HttpAnswer, HttpRequest, Lane, RateLimit } from '../../src/http/request.ts'
import { hour, minute, plus, second, toInstant } from '../../src/market/instant.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { recordingLog } from '../queue/fleet.ts'
import { engines } from '../support/database.ts'
import { aSource, testOn } from './stores.ts'

type Asked = Pick<HttpRequest, 'source' | 'weight' | 'rateLimits'>

/** 32 of these points are ours. */
const small: RateLimit = { points: 40, perMs: 2 * second }
const allowed = 32

const aRequest = (over: Partial<Asked> = {}): Asked => ({
  source: aSource(),
  weight: 1,
  rateLimits: [small],
  ...over,
})

const never = new AbortController().signal

const anAnswer = (headers: Record<string, string>, answeredAt = systemClock.now()): HttpAnswer => ({
  status: 200,
  headers,
  text: '[]',
  answeredAt,
})

/** It was let through between these two moments. */
type Spent = Readonly<{ fromMs: number; toMs: number; weight: number }>

/** Takes from so many askers at once until so much has been let through. */
async function spend(
  budgets: readonly Budget[],
  request: Asked,
  lane: Lane,
  { askers, points }: { askers: number; points: number },
): Promise<Spent[]> {
  const spent: Spent[] = []
  const end = new AbortController()
  const asker = async (budget: Budget) => {
    while (!end.signal.aborted) {
      const fromMs = performance.now()
      try {
        await budget.take(request, lane, end.signal)
      } catch (error) {
        if (error instanceof Aborted) return
        throw error
      }
      spent.push({ fromMs, toMs: performance.now(), weight: request.weight })
      if (weightOf(spent) >= points) end.abort()
    }
  }
  await Promise.all(budgets.flatMap((budget) => Array.from({ length: askers }, () => asker(budget))))
  return spent
}

const weightOf = (spent: readonly Spent[]): number => spent.reduce((sum, { weight }) => sum + weight, 0)

/** The most that was surely let through within a window of the length, however late a busy machine notices. */
const busiestWindow = (spent: readonly Spent[], lengthMs: number): number =>
  Math.max(
    ...spent.map(({ fromMs }) =>
      weightOf(spent.filter((other) => other.fromMs >= fromMs && other.toMs < fromMs + lengthMs)),
    ),
  )

// They wait for a clock most of the time: beside each other they take no longer than the longest.
describe.concurrent.each(engines)('on %s', (engine) => {
  const test = testOn(engine)
    .extend('log', () => recordingLog())
    .extend('fleet', ({ stores, log }): [Budget, Budget] => {
      const surroundings = { share: 0.8, clock: systemClock, log }
      return [openBudget(stores[0], surroundings), openBudget(stores[1], surroundings)]
    })

  test.for<Lane>(['live', 'backfill'])(
    'no window holds more than the share, however many ask in the lane %s, and it goes on',
    async (lane, { fleet }) => {
      const spent = await spend(fleet, aRequest(), lane, { askers: 6, points: 2 * allowed })
      expect(busiestWindow(spent, small.perMs)).toBeLessThanOrEqual(allowed)
    },
  )

  test('weights count, also those that are larger than the burst', async ({ fleet }) => {
    const request = aRequest({ weight: 12 })
    const spent = await spend(fleet, request, 'backfill', { askers: 1, points: 4 * 12 })
    expect(busiestWindow(spent, small.perMs)).toBeLessThanOrEqual(allowed)
  })

  test('several limits hold at once', async ({ fleet }) => {
    const tight: RateLimit = { points: 5, perMs: 2 * second }
    const request = aRequest({ rateLimits: [small, tight] })
    const spent = await spend(fleet, request, 'backfill', { askers: 4, points: 8 })
    expect(busiestWindow(spent, tight.perMs)).toBeLessThanOrEqual(4)
  })

  test('live work that comes last has the next turn', async ({ fleet }) => {
    const request = aRequest({ rateLimits: [{ points: 1, perMs: 2 * second }] })
    await fleet[0].take(request, 'backfill', never)
    const order: Lane[] = []
    const end = new AbortController()
    const take = async (lane: Lane, index: number) => {
      await fleet[index % 2 === 0 ? 0 : 1].take(request, lane, end.signal)
      order.push(lane)
      end.abort()
    }
    const lanes: readonly Lane[] = ['backfill', 'backfill', 'repair', 'live']
    await Promise.allSettled(lanes.map(take))
    expect(order).toEqual(['live'])
  })

  test('one source at its limit does not hold up another', async ({ fleet: [budget] }) => {
    const busy = aRequest({ rateLimits: [{ points: 1, perMs: hour }] })
    await budget.take(busy, 'live', never)
    const waiting = budget.take(busy, 'live', AbortSignal.timeout(1_000))
    await Promise.all([
      expect(waiting).rejects.toThrow(Aborted),
      budget.take(aRequest(), 'live', AbortSignal.timeout(30_000)),
    ])
  })

  test('a stop stops everybody, and a long one says how long it still takes', async ({ fleet }) => {
    const request = aRequest()
    await fleet[0].stop(request, { kind: 'slow-down', leftMs: 2 * minute }, 'slow down')
    for (const budget of fleet) {
      for (const lane of ['live', 'repair', 'backfill'] as const) {
        const fault = await budget.take(request, lane, never).catch((error: unknown) => error)
        if (!(fault instanceof RateLimited)) throw fault
        expect(fault.waitMs).toBeGreaterThan(minute)
        expect(fault.waitMs).toBeLessThanOrEqual(2 * minute)
        expect(fault.message).toMatch(/^asked-\S+ rate-limits us for another 1\d\d s$/)
      }
    }
    await fleet[1].take(aRequest(), 'live', never)
  })

  test('a short stop is waited out', async ({ fleet: [budget, other], stores: [store] }) => {
    const request = aRequest()
    const pauses = openPauses(store)
    await budget.stop(request, { kind: 'slow-down', leftMs: 1_300 }, 'slow down')
    await other.take(request, 'live', never)
    expect(await pauses.read(request.source)).toBeUndefined()
  })

  test('a stop reaches those who wait for their turn already', async ({ fleet: [budget, other] }) => {
    const request = aRequest({ rateLimits: [{ points: 2, perMs: 4 * second }] })
    await budget.take(request, 'live', never)
    const waiting = other.take(request, 'live', never)
    await budget.stop(request, { kind: 'banned', leftMs: 2 * minute }, 'banned')
    await expect(waiting).rejects.toThrow(/for another 1\d\d s$/)
  })

  test('a stop whose reason is told only after it took effect reaches those who wait by then', async ({
    stores,
    fleet: [budget],
  }) => {
    const request = aRequest()
    const { source, rateLimits } = request
    await openLeakyBucket(stores[1], source, paceOf(rateLimits, 0.8)).fillFor(2 * minute)
    const waiting = budget.take(request, 'live', never)
    // By the time of these answers the one who waits has looked for the reason.
    for (let answers = 0; answers < 5; answers += 1) expect(await budget.pauses([source])).toEqual([])
    await openPauses(stores[1]).write({ source, kind: 'banned', leftMs: 2 * minute })
    await expect(waiting).rejects.toThrow(/for another 1\d\d s$/)
  })

  test('a stop is only ever made longer', async ({ fleet: [budget, other] }) => {
    const request = aRequest()
    const stop = (one: Budget, leftMs: number) =>
      one.stop(request, { kind: 'slow-down', leftMs }, 'slow down')
    await Promise.all([stop(budget, 2 * minute), stop(other, second)])
    await stop(other, second)
    await expect(budget.take(request, 'backfill', AbortSignal.timeout(2_000))).rejects.toThrow()
    await stop(other, 10 * minute)
    await expect(budget.take(request, 'live', never)).rejects.toThrow(/for another [56]\d\d s$/)
  })

  test('a stop is told once, and its end when the source is asked again', async ({ fleet, log }) => {
    const request = aRequest()
    const { source } = request
    const stop = { kind: 'banned', leftMs: 4_000 } as const
    await fleet[0].stop(request, stop, 'banned for a while')
    await fleet[1].stop(request, stop, 'banned for a while')
    expect(await fleet[1].pauses([aSource(), source])).toEqual([
      { source, kind: 'banned', leftMs: expect.any(Number) },
    ])
    await fleet[0].take(request, 'live', never)
    await fleet[0].take(request, 'live', never)
    expect(await fleet[1].pauses([source])).toEqual([])
    expect(log.events.map(({ event, fields }) => [event, fields])).toEqual([
      [
        'source.banned',
        { source, kind: 'banned', until: expect.stringMatching(/Z$/), reason: 'banned for a while' },
      ],
      ['source.ban-ended', { source }],
    ])
  })

  test('that no host serves us is told and stops nobody, and hides no ban', async ({ fleet, log }) => {
    const request = aRequest()
    const unserved = { kind: 'unserved', leftMs: minute } as const
    await fleet[0].stop(request, unserved, 'not here')
    await fleet[1].take(request, 'live', never)
    expect(await fleet[1].pauses([request.source])).toMatchObject([{ kind: 'unserved' }])
    await fleet[0].stop(request, { kind: 'banned', leftMs: minute }, 'banned')
    await fleet[0].stop(request, unserved, 'not here')
    expect(await fleet[1].pauses([request.source])).toMatchObject([{ kind: 'banned' }])
    expect(log.events.map(({ event }) => event)).toEqual(['source.unserved', 'source.banned'])
  })

  test('what others at our address have used counts too', async ({ fleet: [budget], stores }) => {
    const limit: RateLimit = { points: 100, perMs: minute, usedHeader: 'x-used' }
    const request = aRequest({ rateLimits: [limit] })
    const bucket = openLeakyBucket(stores[1], request.source, paceOf([limit], 0.8))
    const answeredAt = toInstant(Math.floor(systemClock.now() / minute) * minute + 20 * second)
    const reported = (headers: Record<string, string>) =>
      budget.observe(request, anAnswer(headers, answeredAt))
    for (const used of ['25', '', 'many']) await reported({ 'x-used': used })
    await reported({})
    expect(await bucket.pour(1, 'backfill')).toMatchObject({ fits: true })
    await reported({ 'x-used': '50' })
    // Thirty are left, which are 23 s of our own pace, and 40 s of the window: it begins again when that is made good.
    const short = await bucket.pour(1, 'live')
    await reported({ 'x-used': '81' })
    const long = await bucket.pour(1, 'live')
    if (short.fits || long.fits) throw new Error('more was let through than the others had left')
    expect(short.fitsInMs).toBeLessThan(20 * second)
    expect(long.fitsInMs).toBeGreaterThan(20 * second)
    expect(long.fitsInMs).toBeLessThanOrEqual(40 * second)
  })

  test('what we ourselves have used at our own pace holds nobody up', async ({ fleet: [budget], stores }) => {
    const limit: RateLimit = { points: 6_000, perMs: minute, usedHeader: 'x-used' }
    const request = aRequest({ rateLimits: [limit] })
    const pace = paceOf([limit], 0.8)
    const begin = toInstant(Math.floor(systemClock.now() / minute) * minute)
    for (const seconds of [0, 1, 20, 40, 59]) {
      const used = Math.ceil(pace.burst + ((seconds + 1) * second) / pace.perPointMs)
      await budget.observe(request, anAnswer({ 'x-used': `${used}` }, plus(begin, seconds * second)))
    }
    const bucket = openLeakyBucket(stores[1], request.source, pace)
    expect(await bucket.pour(1, 'backfill')).toMatchObject({ fits: true })
  })

  test('a stop of ours ends the wait for the turn, and for the end of a stop', async ({ fleet }) => {
    for (const prepare of [
      (request: Asked) => fleet[0].take(request, 'live', never),
      (request: Asked) => fleet[0].stop(request, { kind: 'slow-down', leftMs: 4 * second }, 'slow down'),
    ]) {
      const request = aRequest({ rateLimits: [{ points: 1, perMs: hour }] })
      await prepare(request)
      const ends = [AbortSignal.timeout(100), AbortSignal.timeout(200)].map((signal) =>
        fleet[1].take(request, 'live', signal).catch((error: unknown) => error),
      )
      for (const end of await Promise.all(ends)) expect(end).toBeInstanceOf(Aborted)
    }
    await expect(fleet[1].take(aRequest(), 'live', AbortSignal.abort())).rejects.toThrow(Aborted)
  })
})

withoutStore('without a budget nothing waits, whatever was said', async () => {
  const request = aRequest({ weight: 1_000_000 })
  await unlimitedBudget.stop(request, { kind: 'banned', leftMs: minute }, 'banned')
  await unlimitedBudget.observe(request, anAnswer({ 'x-used': '1000000' }))
  await unlimitedBudget.take(request, 'backfill', never)
  expect(await unlimitedBudget.pauses([request.source])).toEqual([])
})
