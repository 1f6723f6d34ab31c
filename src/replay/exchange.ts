import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Misconfigured } from '../fault.ts'
import type { Instant } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { Releases } from '../runtime/release.ts'
import type { Answer, Route } from './answer.ts'
import { binanceLimit, refuseBinance, routeBinance } from './binance.ts'
import { coingeckoLimit, refuseCoingecko, routeCoingecko } from './coingecko.ts'
import { FaultPicker, type FaultPlan, type ReplaySource } from './faults.ts'
import { deliver, type Lie, lieAboutAnswer, lieAboutQuery, refusal } from './lies.ts'
import { type RequestLimit, RequestMeter } from './limits.ts'

export type ReplayLimits = 'none' | Readonly<Partial<Record<ReplaySource, Partial<RequestLimit>>>>

export type ReplayOptions = Readonly<{
  clock: Clock
  host?: string
  /** Binance listens here and CoinGecko one above; 0 takes two that are free. */
  port?: number
  limits?: ReplayLimits
  faults?: FaultPlan
  log?: Log
}>

/** One request as it came in, and the status it was answered with; null when no status was ever sent. */
export type RecordedRequest = Readonly<{
  method: string
  source: ReplaySource
  /** With the query. */
  path: string
  at: Instant
  status: number | null
  lie: Lie['name'] | null
}>

export type ReplayExchange = Readonly<{
  binanceUrl: string
  coingeckoUrl: string
  /** The newest requests, oldest first, ten thousand at least. */
  requests: readonly RecordedRequest[]
  /** Replaces the lies and starts counting requests anew. */
  setFaults(plan: FaultPlan): void
  /** Hangs up on everyone, kept-alive connections and stalled answers included. */
  close(): Promise<void>
}>

/** How one of the two is routed, limited and refused. */
type Interface = Readonly<{
  source: ReplaySource
  limit: RequestLimit
  meter: RequestMeter
  route: (path: string, query: URLSearchParams, now: Instant) => Route
  refuse: (verdict: 'refused' | 'banned', retryAt: Instant) => Answer
  headers: (used: number) => Readonly<Record<string, string>>
}>

const requestsKept = 10_000

/**
 * Opens an exchange that plays the recorded candles through the interfaces of Binance and CoinGecko, on two local
 * listeners: what it serves depends on the clock alone, and it lies when told to. Throws Misconfigured when a port
 * is taken.
 */
export async function openReplayExchange(options: ReplayOptions): Promise<ReplayExchange> {
  const { clock, host = '127.0.0.1', port = 0, limits = {}, faults = [], log } = options
  const releases = new Releases()
  const requests: RecordedRequest[] = []
  let picker = new FaultPicker(faults)

  const record = (request: RecordedRequest) => {
    if (requests.length >= 2 * requestsKept) requests.splice(0, requestsKept)
    requests.push(request)
    log?.debug('replay.request', request)
  }
  const open = async (face: Interface, facePort: number) => {
    const server = createServer((request, response) => {
      record(answerRequest({ face, clock, picker }, request, response))
    })
    // Longer than clients keep theirs, so that none of them is hung up on as it sends.
    server.keepAliveTimeout = 60_000
    const listening = await listen(server, host, facePort)
    releases.push(() => closeServer(server))
    return `http://${host}:${listening}`
  }
  try {
    const binanceUrl = await open(binanceInterface(limits), port)
    const coingeckoUrl = await open(coingeckoInterface(limits), port === 0 ? 0 : port + 1)
    log?.info('replay.open', { binanceUrl, coingeckoUrl })
    return {
      binanceUrl,
      coingeckoUrl,
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

function binanceInterface(limits: ReplayLimits): Interface {
  const limit = { ...binanceLimit, ...(limits === 'none' ? {} : limits.binance) }
  return {
    source: 'binance',
    limit,
    meter: new RequestMeter(limits === 'none' ? undefined : limit),
    route: (path, query, now) => routeBinance(path, query, now, limit),
    refuse: (verdict, retryAt) => refuseBinance(verdict, retryAt, limit),
    headers: (used) => ({ 'x-mbx-used-weight': String(used), 'x-mbx-used-weight-1m': String(used) }),
  }
}

function coingeckoInterface(limits: ReplayLimits): Interface {
  const limit = { ...coingeckoLimit, ...(limits === 'none' ? {} : limits.coingecko) }
  return {
    source: 'coingecko',
    limit,
    meter: new RequestMeter(limits === 'none' ? undefined : limit),
    route: routeCoingecko,
    refuse: () => refuseCoingecko,
    headers: () => ({}),
  }
}

type Serving = Readonly<{ face: Interface; clock: Clock; picker: FaultPicker }>

function answerRequest(
  { face, clock, picker }: Serving,
  request: IncomingMessage,
  response: ServerResponse,
): RecordedRequest {
  const now = clock.now()
  const { method = 'GET', url = '/' } = request
  const [path = '/'] = url.split('?', 1)
  const query = new URLSearchParams(url.slice(path.length + 1))
  const lie = picker.pick({ source: face.source, path, query })
  const { answer: truth, weight } =
    method === 'GET' ? face.route(path, lieAboutQuery(lie, query), now) : notAllowed
  const charge = face.meter.charge(request.socket.remoteAddress ?? '', weight, now)
  const liar = { now, refuse: face.refuse }
  // A broken limit is refused before anything else is done with the request: then there is nothing to lie about.
  const told = charge.verdict === 'served' ? lie : undefined
  const answer =
    charge.verdict === 'served'
      ? lieAboutAnswer(told, truth, liar)
      : refusal(charge.verdict, charge.retryAt, liar)
  sendAnswer(response, answer, { now, lie: told, headers: face.headers(charge.used) })
  return {
    method,
    source: face.source,
    path: url,
    at: now,
    status: neverAnswered(told) ? null : answer.status,
    lie: told?.name ?? null,
  }
}

type Sending = Readonly<{ now: Instant; lie: Lie | undefined; headers: Readonly<Record<string, string>> }>

function sendAnswer(response: ServerResponse, answer: Answer, { now, lie, headers }: Sending): void {
  const { type, body } = encode(answer)
  response.sendDate = false
  const all = { date: new Date(now).toUTCString(), 'content-type': type, ...headers, ...answer.headers }
  for (const [name, value] of Object.entries(all)) response.setHeader(name, value)
  deliver(lie, response, answer.status, body)
}

const neverAnswered = (lie: Lie | undefined): boolean =>
  lie?.name === 'stall' || (lie?.name === 'reset' && lie.when === 'before-answer')

const notAllowed: Route = { weight: 1, answer: { status: 405, headers: { allow: 'GET' }, body: '' } }

function encode({ body }: Answer): Readonly<{ type: string; body: Buffer }> {
  return typeof body === 'string'
    ? { type: 'text/html; charset=utf-8', body: Buffer.from(body) }
    : { type: 'application/json;charset=UTF-8', body: Buffer.from(JSON.stringify(body)) }
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
