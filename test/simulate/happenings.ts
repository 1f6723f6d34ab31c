import fc from 'fast-check'

const hours = (max: number) => fc.integer({ min: 2, max })

/** What goes wrong on a day of the simulation, and from which hour on. */
const happening = fc.record({
  hour: fc.integer({ min: 0, max: 23 }),
  what: fc.oneof(
    fc.record({ kind: fc.constant('source-outage' as const), hours: hours(8) }),
    fc.record({ kind: fc.constant('failing-requests' as const), hours: hours(12) }),
    fc.record({ kind: fc.constant('downtime' as const), hours: hours(36) }),
    fc.record({ kind: fc.constant('revision' as const), coin: fc.constantFrom('bitcoin', 'ethereum') }),
    fc.record({
      kind: fc.constantFrom('wrong-clock', 'database-restart', 'lost-sessions', 'delisting' as const),
    }),
  ),
})

type Drawn = typeof happening extends fc.Arbitrary<infer T> ? T : never

export type What = Drawn['what']
export type Happening = Drawn & Readonly<{ day: number }>

/** One every second day, none in the last three: by then all of it must have been made good. */
export function drawHappenings(days: number, seed: number): Happening[] {
  const count = Math.max(0, Math.floor((days - 4) / 2))
  const [drawn = []] = fc.sample(fc.array(happening, { minLength: count, maxLength: count }), {
    seed,
    numRuns: 1,
  })
  return drawn.map((one, index) => ({ ...one, day: 1 + 2 * index }))
}
