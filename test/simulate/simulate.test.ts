import { expect, test } from 'vitest'
import { fakeTimeLibrary } from '../support/faked-clock.ts'
import { simulate } from './run.ts'

// With a revision by the exchange. More days, seeds and happenings: npm run simulate.
test.skipIf(!fakeTimeLibrary)(
  'a few simulated days end with every invariant true',
  { timeout: 240_000 },
  async () => {
    const { simulated, wrong } = await simulate(6, 15)
    expect(simulated.happenings.map(({ what }) => what.kind)).toEqual(['revision'])
    expect(wrong).toEqual([])
  },
)
