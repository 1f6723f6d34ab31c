import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Pace, paceOf, paymentOf } from '../../src/http/pace.ts'
import type { Lane, RateLimit } from '../../src/http/request.ts'
import { hour, minute, second } from '../../src/market/instant.ts'

type Sent = Readonly<{ atMs: number; weight: number }>

/** Asks again as soon as it was let through and has rested. */
type Asker = Readonly<{ lane: Lane; weight: number; restMs: number; fromMs: number }>

/** Requests as the bucket lets them through, in a time of their own. */
function letThrough(pace: Pace, askers: readonly Asker[], untilMs: number): Map<Asker, Sent[]> {
  const sent = new Map(askers.map((asker): [Asker, Sent[]] => [asker, []]))
  const waiting = askers.map((asker) => ({ asker, atMs: asker.fromMs }))
  let emptyAtMs = 0
  for (;;) {
    const next = waiting.reduce((first, one) => (one.atMs < first.atMs ? one : first))
    if (next.atMs >= untilMs) return sent
    const { asker, atMs } = next
    const { first, rest, held } = paymentOf(pace, asker.weight)
    const filledMs = Math.max(emptyAtMs, atMs) + first * pace.perPointMs
    const capacityMs = atMs + pace.capacities[asker.lane] * pace.perPointMs
    // The clock of a simulation does not get any further by the error of a subtraction.
    if (filledMs > capacityMs + 1e-6) {
      next.atMs += filledMs - capacityMs
      continue
    }
    emptyAtMs = filledMs + rest * pace.perPointMs
    const sentAtMs = Math.max(atMs, emptyAtMs - held)
    sent.get(asker)?.push({ atMs: sentAtMs, weight: asker.weight })
    next.atMs = sentAtMs + asker.restMs
  }
}

const weightOf = (sent: readonly Sent[]): number => sent.reduce((sum, { weight }) => sum + weight, 0)

/** The most that any window of the length holds, wherever it begins. */
function busiestWindow(sent: readonly Sent[], lengthMs: number): number {
  const inOrder = sent.toSorted((a, b) => a.atMs - b.atMs)
  let [most, held, oldest] = [0, 0, 0]
  for (const { atMs, weight } of inOrder) {
    held += weight
    for (let one = inOrder[oldest]; one && one.atMs <= atMs - lengthMs + 1e-3; one = inOrder[oldest]) {
      held -= one.weight
      oldest += 1
    }
    most = Math.max(most, held)
  }
  return most
}

const limitsOfSources: readonly (readonly RateLimit[])[] = [
  [{ points: 6_000, perMs: minute }],
  [{ points: 2_000, perMs: 30 * second }],
  [{ points: 600, perMs: 5 * second }],
  [{ points: 500, perMs: 10 * second }],
  [{ points: 20, perMs: 2 * second }],
  [{ points: 10, perMs: second }],
  [
    { points: 20, perMs: second },
    { points: 5_000, perMs: 10 * minute },
  ],
  [{ points: 30, perMs: minute }],
  [{ points: 10, perMs: minute }],
  [{ points: 1, perMs: second }],
  [{ points: 26, perMs: hour }],
]

const share = 0.8

const limit = fc.record({
  points: fc.integer({ min: 1, max: 300 }),
  perMs: fc.integer({ min: 100, max: 10 * second }),
})
const anAsker = fc.record({
  lane: fc.constantFrom<Lane>('live', 'repair', 'backfill'),
  weight: fc.integer({ min: 1, max: 20 }),
  restMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5 * second })),
  fromMs: fc.integer({ min: 0, max: 10 * second }),
})

describe('a pace', () => {
  test('never lets any window of any limit hold more than the share, whoever asks when for what', () => {
    fc.assert(
      fc.property(
        fc.array(limit, { minLength: 1, maxLength: 3 }),
        fc.array(anAsker, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(1, 0.8, 0.33),
        (limits, askers, part) => {
          const least = Math.min(...limits.map(({ points }) => Math.floor(points * part + 1e-9)))
          // What alone is more than the share can never be sent within it.
          const possible = askers.filter(({ weight }) => weight <= Math.max(1, least))
          fc.pre(possible.length > 0)
          const sent = [...letThrough(paceOf(limits, part), possible, 60 * second).values()].flat()
          for (const { points, perMs } of limits) {
            const allowed = Math.floor(points * part + 1e-9)
            if (allowed >= 1) expect(busiestWindow(sent, perMs)).toBeLessThanOrEqual(allowed)
            else expect(busiestWindow(sent, perMs / (points * part))).toBeLessThanOrEqual(1)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each(limitsOfSources)('lets askers who never rest use 95 % of the share of %j', (...limits) => {
    const pace = paceOf(limits, share)
    const longestMs = Math.max(...limits.map(({ perMs }) => perMs))
    const askers = (['backfill', 'backfill', 'repair'] as const).map((lane) => ({
      lane,
      weight: 1,
      restMs: 0,
      fromMs: 0,
    }))
    const windows = 5
    // A share of less than one point is one point in a longer window.
    const lengthMs = Math.max(longestMs, ...limits.map(({ points, perMs }) => perMs / (points * share)))
    const used = weightOf([...letThrough(pace, askers, windows * lengthMs).values()].flat())
    const allowed = Math.min(
      ...limits.map(
        ({ points, perMs }) =>
          (Math.max(1, Math.floor(points * share + 1e-9)) * windows * lengthMs) /
          Math.max(perMs, perMs / (points * share)),
      ),
    )
    expect(used / allowed).toBeGreaterThanOrEqual(0.95)
    expect(used / allowed).toBeLessThanOrEqual(1)
  })

  test.each(limitsOfSources)('leaves live work the next turn at %j, however many fill gaps', (...limits) => {
    const pace = paceOf(limits, share)
    const others: Asker[] = Array.from({ length: 10 }, (_, index) => ({
      lane: index % 2 === 0 ? 'backfill' : 'repair',
      weight: 1,
      restMs: 0,
      fromMs: 0,
    }))
    const fromMs = 20.5 * pace.perPointMs
    const live: Asker = { lane: 'live', weight: 1, restMs: 0, fromMs }
    const sent = letThrough(pace, [...others, live], fromMs + 20 * pace.perPointMs)
    expect((sent.get(live)?.[0]?.atMs ?? 0) - fromMs).toBeLessThanOrEqual(pace.perPointMs)
    // And every turn from then on: it never rests.
    const afterwards = others.flatMap((one) => sent.get(one)?.filter(({ atMs }) => atMs > fromMs) ?? [])
    expect(weightOf(afterwards)).toBeLessThanOrEqual(1)
  })

  test('lets what is asked for again go before what was never asked for', () => {
    const pace = paceOf([{ points: 20, perMs: 2 * second }], share)
    const backfill: Asker = { lane: 'backfill', weight: 1, restMs: 0, fromMs: 0 }
    const repair: Asker = { lane: 'repair', weight: 1, restMs: 0, fromMs: 10 * second }
    const sent = letThrough(pace, [backfill, repair], 20 * second)
    expect(sent.get(backfill)?.filter(({ atMs }) => atMs > 10.2 * second)).toEqual([])
    expect(weightOf(sent.get(repair) ?? [])).toBeGreaterThan(70)
  })

  test('lets a request through that weighs more than the burst, and makes those behind it pay', () => {
    const pace = paceOf([{ points: 500, perMs: 10 * second }], share)
    const small: Asker = { lane: 'backfill', weight: 1, restMs: 0, fromMs: 0 }
    const heavy: Asker = { lane: 'live', weight: 200, restMs: minute, fromMs: 20 * second }
    const sent = letThrough(pace, [small, heavy], 60 * second)
    const waitedMs = (sent.get(heavy)?.[0]?.atMs ?? Number.POSITIVE_INFINITY) - heavy.fromMs
    expect(waitedMs).toBeLessThanOrEqual(200 * pace.perPointMs)
    expect(busiestWindow([...sent.values()].flat(), 10 * second)).toBeLessThanOrEqual(400)
  })
})
