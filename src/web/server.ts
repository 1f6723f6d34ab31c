import { Readable } from 'node:stream'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Pool } from 'pg'
import { Fault, Misconfigured } from '../fault.ts'
import type { Pause } from '../http/pauses.ts'
import { type Instant, second } from '../market/instant.ts'
import type { Engine } from '../queue/engine.ts'
import type { AnyJob } from '../queue/job.ts'
import type { Clock } from '../runtime/clock.ts'
import { hasCode } from '../runtime/error-code.ts'
import type { Log } from '../runtime/log.ts'
import { sharedWhileRunning } from '../runtime/share.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import type { Environment } from '../settings/environment.ts'
import { readVersion } from '../settings/version.ts'
import type { Settings } from '../settings.ts'
import type { Readiness } from '../status/readiness/readiness.ts'
import { gatherStatus, inTime, type Status } from '../status/status.ts'
import { guardAccess, refuseOpenDoor } from './access.ts'
import { openApi, serveApi } from './api.ts'
import { serveAssets } from './assets.ts'
import { dropForeignFonts, serveBoard } from './board.ts'
import { compressAnswers, compressStream } from './compression.ts'
import { openEvents } from './events.ts'
import { firstAnswers } from './first-answers.ts'
import { protectAnswers } from './headers.ts'
import { serveHealth } from './health.ts'
import { serveMetrics } from './metrics.ts'
import { openPage } from './page.ts'
import { servePages } from './pages.ts'
import { boundRate } from './rate.ts'

export type WebOptions = Readonly<{
  settings: Settings
  pool: Pool
  engine: Engine
  /** Current pauses. */
  pauses(): Promise<readonly Pause[]>
  /** Readiness and progress. */
  readiness(): Promise<Readiness>
  jobs: readonly AnyJob[]
  queues: readonly string[]
  clock: Clock
  log: Log
  /** Defaults to now. */
  startedAt?: Instant
  /** Flushes counters. */
  flushCounts?(): Promise<void>
  /** Default 3 s. */
  refreshMs?: number
  /** Use any free port if the wanted one is taken. */
  anyPort?: boolean
}>

export type Web = Readonly<{ url: string; close(): Promise<void> }>

/** Larger bodies are not needed. */
const bodyLimitBytes = 64 * 1_024
const requestLimitMs = 15 * second

/** Throws Misconfigured without a required password, or if the port is taken. */
export async function openWeb(options: WebOptions): Promise<Web> {
  const { environment } = options.settings
  refuseOpenDoor(environment)
  const app = fastify({
    logger: false,
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestLimitMs,
    trustProxy: trustedBy(environment),
    rewriteUrl: ({ url }) => belowBasePath(url ?? '/', environment.httpBasePath),
    // Event streams end themselves; idle connections must not delay the stop.
    forceCloseConnections: 'idle',
    // Ids of jobs contain names of markets and coins.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1_000 },
  })
  try {
    answerFailures(app, options.log)
    await protectAnswers(app)
    boundRate(app)
    await guardAccess(app, { ...environment, pageUrl: options.settings.monitoring.pageUrl }, options.log)
    dropForeignFonts(app)
    compressAnswers(app)
    serveHealth(app, options.readiness)
    serveMetrics(app, options)
    await serveStatus(app, options)
    await serveBoard(app, {
      ...options,
      writable: options.settings.board.access === 'writable',
      basePath: environment.httpBasePath,
    })
    const url = await listen(app, environment, options.anyPort ?? false)
    return { url, close: () => app.close() }
  } catch (error) {
    await app.close()
    throw error
  }
}

function trustedBy({
  trustProxy,
}: Environment): string[] | false | ((address: string, hop: number) => boolean) {
  if (trustProxy === undefined) return false
  return typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : [...trustProxy]
}

/** Also served at the root, as proxies may strip the path. */
function belowBasePath(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url
  const rest = url.slice(basePath.length)
  return rest === '' || /^[?#]/.test(rest) ? `/${rest}` : rest.startsWith('/') ? rest : url
}

async function serveStatus(app: FastifyInstance, options: WebOptions): Promise<void> {
  const { clock, refreshMs = 3 * second } = options
  const deps = {
    ...options,
    startedAt: options.startedAt ?? clock.now(),
    version: readVersion(),
  }
  // Shared, as each would hold connections.
  const gather = sharedWhileRunning<Status>(() => gatherStatus(deps))
  const collect = () => inTime(deps, gather())
  const describeFailure = failureMessage(options.log)
  const events = openEvents({ collect, describeFailure, everyMs: refreshMs })
  app.addHook('preClose', async () => events.close())
  const { httpBasePath: base } = options.settings.environment
  const files = await serveAssets(app)
  const page = openPage(files, base, options.jobs)
  servePages(app, { files, base, pool: options.pool })
  const api = openApi(deps)
  serveApi(app, api)

  app.get('/', async (request, reply) => {
    // The page's links are relative to the slash.
    if (request.originalUrl === base && base !== '') return reply.redirect(`${base}/`)
    const stream = Readable.from(page(firstAnswers(collect, api)))
    return reply.type('text/html; charset=utf-8').send(compressStream(request, reply, stream))
  })
  app.get('/api/status', async (_request, reply) => {
    try {
      return await collect()
    } catch (error) {
      return reply.code(503).send({ error: describeFailure(error) })
    }
  })
  app.get('/api/events', async (request, reply) => {
    const stream = events.listen()
    if (!stream) return reply.code(503).send({ error: 'too many pages are open: close one' })
    return reply.type('text/event-stream; charset=utf-8').send(compressStream(request, reply, stream))
  })
}

const failureMessage =
  (log: Log) =>
  (error: unknown): string => {
    log.warn('status.unavailable', { reason: reasonOf(rootOf(error)) })
    return error instanceof Fault ? error.message : 'the database does not answer: see the log of the daemon'
  }

const rootOf = (error: unknown): unknown =>
  error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error

function answerFailures(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: 'there is nothing here' }))
  app.setErrorHandler((error, request, reply) => answerFailure(error, request, reply, log))
}

function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log) {
  const status = statusOf(error)
  if (status < 500 && error instanceof Error) return reply.code(status).send({ error: error.message })
  log.error('web.failed', {
    method: request.method,
    route: request.routeOptions.url,
    reason: reasonOf(error),
  })
  return reply.code(status).send({ error: 'this did not work: see the log of the daemon' })
}

const statusOf = (error: unknown): number =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : 500

async function listen(
  app: FastifyInstance,
  { httpHost: host, httpPort: port }: Pick<Environment, 'httpHost' | 'httpPort'>,
  anyPort: boolean,
): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    if (anyPort && port !== 0 && hasCode(error, 'EADDRINUSE'))
      return listen(app, { httpHost: host, httpPort: 0 }, false)
    throw withRemedy(error, host, port)
  }
  const [address] = app.addresses()
  return `http://${nameFor(host)}:${typeof address === 'object' ? address.port : port}`
}

/** For a browser. */
function nameFor(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

function withRemedy(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'EADDRINUSE':
      return new Misconfigured(`port ${port} of ${host} is taken: set BEACON_HTTP_PORT to a free one`, {
        cause: error,
      })
    case 'EACCES':
      return new Misconfigured(`port ${port} is not for us: set BEACON_HTTP_PORT to one above 1023`, {
        cause: error,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new Misconfigured(`${host} is no address of this machine: set BEACON_HTTP_HOST to one`, {
        cause: error,
      })
    default:
      return error
  }
}
