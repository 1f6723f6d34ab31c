import { jobs, queues } from '../../jobs/catalog.ts'
import { type Instant, toInstant } from '../../src/market/instant.ts'
import { type Engine, openEngine } from '../../src/queue/engine.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { type Log, openLog } from '../../src/runtime/log.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import type { Readiness } from '../../src/status/readiness/readiness.ts'
import { openWeb, type Web, type WebOptions } from '../../src/web/server.ts'
import { redisUrl, type TestDatabase, test as withDatabase } from '../support/database.ts'
import { readEnvironment } from '../support/read-environment.ts'

export const silent: Log = openLog({ level: 'silent', pretty: false })

/** Twenty seconds past a minute: what closed last has had the time to arrive. */
export const now: Instant = toInstant(Date.parse('2024-03-01T12:34:20Z'))
export const standing: Clock = { now: () => now }

const sixCoins = new URL('../../config/demo.yaml', import.meta.url).pathname

const defaults = readSettings({}, sixCoins)

/** The settings of a server on any free port that follows six coins. */
export const settingsFor = (variables: NodeJS.ProcessEnv = {}): Settings => ({
  ...defaults,
  environment: readEnvironment({ BEACON_HTTP_PORT: '0', ...variables }),
})

/** The same of a server whose board has buttons. */
export const writableBoard = (): Settings => ({ ...settingsFor(), board: { access: 'writable' } })

/** What is not the test's subject. */
export const allReady: Readiness = {
  database: { ok: true },
  queue: { ok: true },
  schedule: { ok: true },
  work: { ok: true },
  clock: { ok: true },
}

type Deps = Readonly<{ database: Pick<TestDatabase, 'pool'>; engine: Engine }>
type Serving = Web & Readonly<{ [Symbol.asyncDispose](): Promise<void> }>

/** A server for one test. */
export async function serve(
  { database, engine }: Deps,
  options: Partial<WebOptions> & { variables?: NodeJS.ProcessEnv } = {},
): Promise<Serving> {
  const { variables, ...given } = options
  const web = await openWeb({
    settings: settingsFor(variables),
    pool: database.pool,
    engine,
    pauses: async () => [],
    readiness: async () => allReady,
    jobs,
    queues,
    clock: standing,
    log: silent,
    refreshMs: 1_000,
    ...given,
  })
  return { ...web, [Symbol.asyncDispose]: web.close }
}

export const openTestEngine = (databaseUrl: string, kind: Engine['kind'] = 'postgres'): Promise<Engine> =>
  openEngine({
    databaseUrl,
    redisUrl: kind === 'redis' ? redisUrl : undefined,
    log: silent,
    clock: systemClock,
  })

/** `test` with the queues in the file's own database. */
export const test = withDatabase.extend('engine', { scope: 'file' }, async ({ database }, { onCleanup }) => {
  const engine = await openTestEngine(database.url)
  onCleanup(engine.close)
  return engine
})
