import { enforceRetention } from '../../src/lifecycle/retention.ts'
import { safekeepingsOf } from '../../src/lifecycle/retention-safekeeping.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readSettings } from '../../src/settings.ts'
import { openPool } from '../../src/store/pool.ts'

// One run of retention as a process of its own, which is killed once a step is done: `retention-process.ts DATABASE_URL STEP`.
const [url = '', last = ''] = process.argv.slice(2)
const settings = readSettings({})
const pool = openPool(url, settings.database, (error) => {
  throw error
})
const steps = async (name: string) => {
  if (name === last) process.kill(process.pid, 'SIGKILL')
}
const safekeepings = safekeepingsOf({ pool, settings, clock: systemClock })
const deps = {
  pool,
  settings,
  clock: systemClock,
  signal: new AbortController().signal,
  safekeepings,
  steps,
}
await enforceRetention(deps, false, { progress: async () => {}, log: async () => {} })
await pool.end()
