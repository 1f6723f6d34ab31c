import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Misconfigured } from '../fault.ts'
import type { Instant } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { Releases } from '../runtime/release.ts'
import type { SourceId } from '../settings/source-ids.ts'
import { type Answer, type Route, toJsonText } from './answer.ts'
import { deliver } from './delivery.ts'
import type { Endpoint, EndpointLimit } from './endpoint.ts'
import { endpoints as allEndpoints } from './endpoints.ts'
import type { InjectedFault } from './faults/injected-fault.ts'
import { injectIntoAnswer, injectIntoQuery, refusal } from './faults/injected-faults.ts'
import { FaultPicker, type FaultPlan } from './faults.ts'
import { RequestMeter } from './limits.ts'

/** Replaces the real limits. */
export type ReplayLimits = 'none' | Readonly<Partial<Record<SourceId, EndpointLimit>>>

export type ReplayOptions = Readonly<{
  clock: Clock
  host?: string
  /** Default all. */
  endpoints?: readonly Endpoint[]
  /** First port, others follow; 0 picks free ones. */
  port?: number
  limits?: ReplayLimits
  faults?: FaultPlan
  log?: Log
}>

/** `status` null: never sent. */
type RecordedRequest = Readonly<{
  method: string
  source: SourceId
  path: string
  at: Instant
  status: number | null
  fault: InjectedFault['name'] | null
}>

export type ReplayExchange = Readonly<{
  /** Base URL per source. */
  urls: ReadonlyMap<SourceId, string>
  /** Throws RangeError for a source not replayed. */
  urlOf(source: SourceId): string
  /** Oldest first, at least 10,000. */
  requests: readonly RecordedRequest[]
  /** Replaces faults and restarts their counts. */
  setFaults(plan: FaultPlan): void
  /** Closes all connections. */
  close(): Promise<void>
}>

const requestsKept = 10_000

/**
 * Replays recorded candles as many sources, one listener each; answers depend only on the clock and faults. Throws
 * Misconfigured if a port is taken.
 */
export async function openReplayExchange(options: ReplayOptions): Promise<ReplayExchange> {
  const {
    clock,
    host = '127.0.0.1',
    endpoints = allEndpoints,
    port = 0,
    limits = {},
    faults = [],
    log,
  } = options
  const releases = new Releases()
  const requests: RecordedRequest[] = []
  let picker = new FaultPicker(faults)

  const record = (request: RecordedRequest) => {
    if (requests.length >= 2 * requestsKept) requests.splice(0, requestsKept)
    requests.push(request)
    log?.debug('replay.request', request)
  }
  const open = async (endpoint: Endpoint, endpointPort: number) => {
    const limit = limits === 'none' ? endpoint.limit : (limits[endpoint.source] ?? endpoint.limit)
    const meter = new RequestMeter(limit, { refuses: limits !== 'none' })
    const server = createServer((request, response) => {
      record(answerRequest({ endpoint, limit, meter, clock, picker }, request, response))
    })
    // Longer than clients', to avoid resets while sending.
    server.keepAliveTimeout = 60_000
    const listening = await listen(server, host, endpointPort)
    releases.push(() => closeServer(server))
    return `http://${host}:${listening}`
  }
  try {
    const urls = new Map<SourceId, string>()
    for (const [index, endpoint] of endpoints.entries())
      urls.set(endpoint.source, await open(endpoint, port === 0 ? 0 : port + index))
    log?.info('replay.open', Object.fromEntries(urls))
    return {
      urls,
      urlOf: (source) => {
        const url = urls.get(source)
        if (url === undefined) throw new RangeError(`the replay exchange does not speak as ${source}`)
        return url
      },
      requests,
      setFaults: (plan) => {
        picker = new FaultPicker(plan)
      },
      close: () => releases.release(),
    }
  } catch (error) {
    await releases.release()
    throw error
  }
}

type Serving = Readonly<{
  endpoint: Endpoint
  limit: EndpointLimit
  meter: RequestMeter
  clock: Clock
  picker: FaultPicker
}>

function answerRequest(
  { endpoint, limit, meter, clock, picker }: Serving,
  request: IncomingMessage,
  response: ServerResponse,
): RecordedRequest {
  const now = clock.now()
  const { method = 'GET', url = '/' } = request
  const [path = '/'] = url.split('?', 1)
  const query = new URLSearchParams(url.slice(path.length + 1))
  const fault = picker.pick({ source: endpoint.source, path, query })
  const { answer: truth, weight } =
    method === 'GET' ? endpoint.route(path, injectIntoQuery(fault, query, endpoint), now, limit) : notAllowed
  const charge = meter.charge(request.socket.remoteAddress ?? '', weight, now)
  const liar = { now, endpoint, limit, path, query }
  // Rejections over the limit have no faults.
  const reported = charge.decision === 'served' ? fault : undefined
  const answer =
    charge.decision === 'served'
      ? injectIntoAnswer(reported, truth, liar)
      : refusal(charge.decision, charge.retryAt, liar)
  sendAnswer(response, answer, {
    now,
    fault: reported,
    headers: endpoint.headers?.(charge.used, limit, now) ?? {},
  })
  return {
    method,
    source: endpoint.source,
    path: url,
    at: now,
    status: neverAnswered(reported) ? null : answer.status,
    fault: reported?.name ?? null,
  }
}

type Sending = Readonly<{
  now: Instant
  fault: InjectedFault | undefined
  headers: Readonly<Record<string, string>>
}>

function sendAnswer(response: ServerResponse, answer: Answer, { now, fault, headers }: Sending): void {
  const { type, body } = encode(answer)
  response.sendDate = false
  const all = { date: new Date(now).toUTCString(), 'content-type': type, ...headers, ...answer.headers }
  for (const [name, value] of Object.entries(all)) response.setHeader(name, value)
  deliver(fault, response, answer.status, body)
}

const neverAnswered = (fault: InjectedFault | undefined): boolean =>
  fault?.name === 'stall' || (fault?.name === 'reset' && fault.when === 'before-answer')

const notAllowed: Route = { weight: 1, answer: { status: 405, headers: { allow: 'GET' }, body: '' } }

function encode({ body, bytes }: Answer): Readonly<{ type: string; body: Buffer }> {
  if (bytes) return { type: 'binary/octet-stream', body: bytes }
  return typeof body === 'string'
    ? { type: 'text/html; charset=utf-8', body: Buffer.from(body) }
    : { type: 'application/json;charset=UTF-8', body: Buffer.from(toJsonText(body)) }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new Misconfigured(`cannot listen on ${host}:${port}: choose a free port for the replay exchange`, {
          cause,
        }),
      ),
    )
    server.listen(port, host, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') reject(new TypeError('not a network listener'))
      else resolve(address.port)
    })
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()))
    server.closeAllConnections()
  })
}
