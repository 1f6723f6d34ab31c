import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/cluster.ts'],
    // Many tests wait for another process or for a clock: more of them than there are cores make the run shorter.
    maxWorkers: 4,
    testTimeout: 60_000,
    // A condition that is waited for comes when the machine gets round to it; one that never comes still fails.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 60_000,
  },
})
