import { createServer, type IncomingHttpHeaders } from 'node:http'
import { type Fleet, openFleet } from '../../src/fleet.ts'
import { openReplayExchange, type ReplayExchange } from '../../src/replay/exchange.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { Releases } from '../../src/runtime/release.ts'
import { readSettings } from '../../src/settings.ts'
import { follow } from '../ingest/working.ts'
import { recordingLog } from '../queue/fleet.ts'
import { createTestDatabase, type engines } from '../support/database.ts'
import { freshRedisUrl } from '../support/fresh-redis.ts'

/** A password that must stand in no span. */
export const password = 'hunter2'

/** A process's part of the fleet on real stores, which asks the replay exchange and sends its traces to a collector. */
export type TracedFleet = Fleet &
  Readonly<{
    exchange: ReplayExchange
    /** The headers that the exchange was sent. */
    heard: readonly IncomingHttpHeaders[]
    log: ReturnType<typeof recordingLog>
    /** Ends it as a process ends: what is left of the traces is sent. */
    stop(): Promise<void>
    [Symbol.asyncDispose](): Promise<void>
  }>

export async function openTracedFleet(
  engine: (typeof engines)[number],
  collectorUrl: string,
): Promise<TracedFleet> {
  const around = new Releases()
  const database = await createTestDatabase()
  around.push(() => database.drop())
  const exchange = await openReplayExchange({ clock: systemClock })
  around.push(() => exchange.close())
  const mirror = await openMirror(exchange.urlOf('binance'), around)
  const settings = readSettings({
    ...(engine === 'redis' ? { REDIS_URL: await freshRedisUrl() } : {}),
    BINANCE_BASE_URL: mirror.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
  })
  const log = recordingLog()
  const releases = new Releases()
  const { signal } = new AbortController()
  const fleet = await openFleet({ settings, database, log, clock: systemClock, releases, signal }, 0)
  await follow(database.pool, 'BTCUSDT', systemClock.now())
  return {
    ...fleet,
    exchange,
    heard: mirror.heard,
    log,
    stop: () => releases.release(),
    [Symbol.asyncDispose]: async () => {
      await releases.release()
      await around.release()
    },
  }
}

/** A mirror of the exchange that wants a password and keeps the headers that it is sent. */
async function openMirror(
  target: string,
  releases: Releases,
): Promise<{ url: string; heard: IncomingHttpHeaders[] }> {
  const heard: IncomingHttpHeaders[] = []
  const server = createServer(async (request, response) => {
    heard.push(request.headers)
    const answer = await fetch(`${target}${request.url}`)
    const kept = [...answer.headers].filter(([name]) => /^(content-type|date|retry-after)$/.test(name))
    response.writeHead(answer.status, Object.fromEntries(kept)).end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  releases.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the mirror has no port')
  return { url: `http://reader:${password}@127.0.0.1:${address.port}`, heard }
}
