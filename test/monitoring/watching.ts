import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { jobs, queues } from '../../jobs/catalog.ts'
import { day } from '../../src/market/instant.ts'
import { Monitor, type MonitorDeps } from '../../src/monitoring/monitor.ts'
import type { Engine } from '../../src/queue/engine.ts'
import type { Settings } from '../../src/settings.ts'
import { readReadiness } from '../../src/status/readiness/readiness.ts'
import { recordingLog } from '../queue/fleet.ts'
import { halfPast, StandingClock } from '../replay/playing.ts'
import type { TestDatabase } from '../support/database.ts'
import { settingsFor } from '../web/serving.ts'

type Reported = Readonly<{ headers: IncomingHttpHeaders; body: string }>

export const secret = 'a secret of sixteen characters'

/** A receiver of webhooks that answers with the statuses it is given, the last one for ever. */
export async function receive(...statuses: number[]) {
  const reported: Reported[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    reported.push({ headers: request.headers, body })
    response
      .writeHead((statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 200, { location: '/elsewhere' })
      .end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/hook`,
    reported,
    [Symbol.asyncDispose]: async () => {
      server.close()
    },
  }
}

export const watch = (
  { pool, engine }: Readonly<{ pool: TestDatabase['pool']; engine: Engine }>,
  url: string | undefined,
  parts: Partial<MonitorDeps> = {},
  limits: Partial<Settings['monitoring']> = {},
) => {
  const clock = new StandingClock(halfPast)
  const log = recordingLog()
  const settings = settingsFor()
  // The database's clock is of today, and the tests' stands still years before.
  const monitoring = {
    ...settings.monitoring,
    clockSkew: 100 * 365 * day,
    webhook: url === undefined ? undefined : { url, secret },
    ...limits,
  }
  const deps: MonitorDeps = {
    settings: { ...settings, monitoring },
    pool,
    engine,
    pauses: async () => [],
    jobs,
    queues,
    clock,
    log,
    startedAt: undefined,
    readiness: () => readReadiness({ ...deps, upSinceMs: performance.now() }),
    version: '0.0.0',
    serverIsHere: true,
    ...parts,
  }
  return { clock, log, monitor: new Monitor(deps), another: new Monitor(deps) }
}
