import { defineConfig } from 'vitest/config'
import { LongestFirst } from './support/longest-first.ts'

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/cluster.ts', 'test/support/scripts.ts'],
    // Many tests wait for another process or for a clock: more of them than there are cores make the run shorter.
    maxWorkers: 6,
    sequence: { sequencer: LongestFirst },
    // Nothing here keeps a state of its own in a module, so that one worker need not load all of it anew for each file.
    isolate: false,
    testTimeout: 120_000,
    // A condition that is waited for comes when the machine gets round to it; one that never comes still fails.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 60_000,
  },
})
