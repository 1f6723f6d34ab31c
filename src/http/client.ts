import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import axios, { type AxiosResponse, isAxiosError } from 'axios'
import { Aborted, Banned, Blocked, Fault, Malformed, RateLimited, Unavailable } from '../fault.ts'
import { type Instant, minute, plus, second, toInstant } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import { joinSignals } from '../runtime/joined-signal.ts'
import type { Log } from '../runtime/log.ts'
import { currentSpan, inSpan, type SpanDetails } from '../runtime/trace.ts'
import type { Budget } from './budget.ts'
import type { Download, Downloader } from './download.ts'
import { isLoopback } from './loopback.ts'
import { type Reachability, unreachableText } from './reachability.ts'
import type { HttpAnswer, HttpClient, HttpRequest, SendOptions } from './request.ts'
import { retryAfterMs } from './retry-after.ts'
import { faultOfStatus } from './status-fault.ts'

export type HttpOptions = Readonly<{
  clock: Clock
  budget: Budget
  /** Is told which host does not serve us. */
  log?: Log
  /** Is told which source answers and which does not. */
  reachability?: Reachability
  /** Of a whole request, first byte to last. */
  timeoutMs: number
  maxBodyBytes: number
  /** Headers that a source gets with every request: its API key. */
  secretHeaders?: Readonly<Record<string, Readonly<Record<string, string>>>>
}>

const keptHeaders = (response: AxiosResponse): Record<string, string> =>
  Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
  )

/** Opens the one client that talks to sources. `close` drops its idle connections. */
export function openHttpClient(options: HttpOptions): HttpClient & Downloader & { close(): void } {
  const httpAgent = new HttpAgent({ keepAlive: true })
  const httpsAgent = new HttpsAgent({ keepAlive: true })
  const deps: Deps = { ...options, httpAgent, httpsAgent, unservedUntil: new Map() }
  return {
    get: (request, sending) => get(deps, request, sending),
    download: (request, sending) => download(deps, request, sending),
    close: () => {
      httpAgent.destroy()
      httpsAgent.destroy()
    },
  }
}

type Deps = HttpOptions &
  Readonly<{
    httpAgent: HttpAgent
    httpsAgent: HttpsAgent
    /** The hosts that do not serve us, and until when that is believed. */
    unservedUntil: Map<string, Instant>
  }>

async function get(deps: Deps, request: HttpRequest, sending: SendOptions): Promise<HttpAnswer> {
  const { body, ...head } = await ask<string>(deps, request, sending, readText)
  const answer = { ...head, text: body }
  refuseOtherThanJson(request, answer)
  return answer
}

async function download(deps: Deps, request: HttpRequest, sending: SendOptions): Promise<Download> {
  const timeoutMs = downloadTimeoutFactor * deps.timeoutMs
  const { body, answeredAt } = await ask<Buffer>({ ...deps, timeoutMs }, request, sending, readBytes)
  return { bytes: body, answeredAt }
}

/** A file is some hundred times as long as an answer, and nobody waits for it. */
const downloadTimeoutFactor = 5

/** How a body is taken in, and what the words of a refusal are read from. */
type Reading<Body> = Readonly<{
  accept: string
  responseType: 'text' | 'arraybuffer'
  wordsOf(body: Body): string
}>

const readText: Reading<string> = {
  accept: 'application/json',
  responseType: 'text',
  wordsOf: (body) => body,
}
const readBytes: Reading<Buffer> = {
  accept: '*/*',
  responseType: 'arraybuffer',
  wordsOf: (body) => body.toString('utf8', 0, 2_000),
}

type Asked<Body> = Omit<HttpAnswer, 'text'> & Readonly<{ body: Body }>

/** How long a host that does not serve our region is left in peace: we may move, and so may the border. */
const unservedMs = 15 * minute

/** Asks the first host that serves our region. Throws Blocked when none does. */
async function ask<Body>(
  deps: Deps,
  request: HttpRequest,
  sending: SendOptions,
  reading: Reading<Body>,
): Promise<Asked<Body>> {
  const { clock, budget, log, unservedUntil } = deps
  const { source, baseUrl, standIns } = request
  const now = clock.now()
  const hosts = [baseUrl, ...standIns].filter((host) => !isAhead(unservedUntil.get(host) ?? now, now))
  for (const host of hosts) {
    try {
      return await watched(deps, source, askHost(deps, host, request, sending, reading))
    } catch (error) {
      if (!(error instanceof Blocked)) throw error
      unservedUntil.set(host, plus(now, unservedMs))
      log?.warn('source.host-unserved', { source, host: hostOf(host), reason: error.message })
    }
  }
  const fault = blockedEverywhere(request)
  if (hosts.length > 0) await budget.stop(request, { kind: 'unserved', leftMs: unservedMs }, fault.message)
  throw fault
}

/** Any answer shows that a source can be reached; a failure carries whose it is. */
async function watched<T>({ reachability }: Deps, source: string, answer: Promise<T>): Promise<T> {
  try {
    const given = await answer
    reachability?.answered(source)
    return given
  } catch (error) {
    if (error instanceof Unavailable) {
      reachability?.failed(source, error.message)
      throw new Unavailable(error.message, { source, cause: error.cause })
    }
    if (error instanceof Fault && !(error instanceof Aborted)) reachability?.answered(source)
    throw error
  }
}

/** What lies further ahead than it was ever put was written by a clock that has been set back since. */
const isAhead = (until: Instant, now: Instant): boolean => until > now && until <= plus(now, unservedMs)

const hostOf = (url: string): string => new URL(url).host

function blockedEverywhere({ source, baseUrl, standIns }: HttpRequest): Blocked {
  const hosts = [baseUrl, ...standIns].map(hostOf).join(', ')
  const variable = `${source.toUpperCase().replaceAll(/\W/g, '_')}_BASE_URL`
  return new Blocked(
    `${source} does not serve the region of this address (asked ${hosts}): ` +
      `set ${variable} to a host that does, run the daemon elsewhere, or follow the coins on another source`,
  )
}

/** One request within the budget. Throws the fault that its answer stands for. */
function askHost<Body>(
  deps: Deps,
  host: string,
  request: HttpRequest,
  sending: SendOptions,
  reading: Reading<Body>,
): Promise<Asked<Body>> {
  const { budget } = deps
  const { lane, signal } = sending
  const details = currentSpan() ? spanDetails(host, request, sending) : {}
  return inSpan(`GET ${request.source}`, details, async (annotate) => {
    const askedAt = performance.now()
    await inSpan('budget', {}, () => budget.take(request, lane, signal))
    annotate({ 'beacon.budget.wait_ms': Math.round(performance.now() - askedAt) })
    const asked = await send(deps, host, request, signal, reading)
    const { body, ...head } = asked
    annotate({ 'http.response.status_code': asked.status })
    const answer = { ...head, text: reading.wordsOf(body) }
    await budget.observe(request, answer)
    const fault = faultOf(request, answer)
    if (fault instanceof RateLimited) await stopAll(budget, request, fault)
    if (fault) throw fault
    return asked
  })
}

/** What is told of a request: never its headers, nor a password in the address of a mirror. */
function spanDetails(
  host: string,
  { source, path, query, weight }: HttpRequest,
  { lane }: SendOptions,
): SpanDetails {
  const { hostname, port, protocol } = new URL(host)
  return {
    kind: 'client',
    attributes: {
      'http.request.method': 'GET',
      'url.scheme': protocol.slice(0, -1),
      'server.address': hostname,
      'server.port': port === '' ? undefined : Number(port),
      'url.path': path,
      'url.query': new URLSearchParams(query).toString(),
      'beacon.source': source,
      'beacon.weight': weight,
      'beacon.lane': lane,
    },
  }
}

/** Stops the fleet. That the store of the budget fails must not hide that the source told us to wait. */
async function stopAll(budget: Budget, request: HttpRequest, fault: RateLimited): Promise<void> {
  const kind = fault instanceof Banned ? 'banned' : 'slow-down'
  try {
    await budget.stop(request, { kind, leftMs: fault.waitMs }, fault.message)
  } catch (cause) {
    throw new RateLimited(fault.message, fault.waitMs, { cause })
  }
}

/**
 * The part of axios that sends. What it does before and after, merging configurations and transforming bodies, is a third
 * of what a request costs; and JSON.parse would swallow digits, and turn a broken body into a plain string.
 */
const sendByAxios = axios.getAdapter('http')

async function send<Body>(
  { httpAgent, httpsAgent, clock, timeoutMs, maxBodyBytes, secretHeaders }: Deps,
  baseUrl: string,
  { source, path, query }: HttpRequest,
  signal: AbortSignal,
  { accept, responseType }: Reading<Body>,
): Promise<Asked<Body>> {
  const ending = joinSignals([signal], timeoutMs)
  try {
    const response: AxiosResponse<Body> = await sendByAxios({
      method: 'get',
      url: `${baseUrl}${path}`,
      params: query,
      headers: axios.AxiosHeaders.from({ 'user-agent': 'beacon-ingest', accept, ...secretHeaders?.[source] }),
      httpAgent,
      httpsAgent,
      // A redirect would carry the API key to wherever it points.
      maxRedirects: 0,
      // HTTPS_PROXY and the like are for other machines: a mirror or the replay exchange is here.
      ...(isLoopback(new URL(baseUrl).hostname) ? { proxy: false as const } : {}),
      maxContentLength: maxBodyBytes,
      responseType,
      validateStatus: () => true,
      signal: ending.signal,
    })
    const headers = keptHeaders(response)
    const date = Date.parse(headers.date ?? '')
    const answeredAt = Number.isNaN(date) ? clock.now() : toInstant(date)
    return { status: response.status, headers, body: response.data, answeredAt }
  } catch (error) {
    if (signal.aborted) throw new Aborted(`the request to ${source} was stopped`)
    // The timeout of axios is one of silence: a body that drips for ever would never end.
    if (ending.isLate())
      throw new Unavailable(`${source} did not finish its answer within ${timeoutMs / second} s`)
    // Never the error itself as cause: it holds the request with its key.
    if (!isAxiosError(error)) throw error
    if (error.message.startsWith('maxContentLength')) {
      throw new Malformed(`${source} sent more than ${maxBodyBytes} bytes to ${path}`)
    }
    throw new Unavailable(unreachableText(source, hostOf(baseUrl), error.code ?? error.message))
  } finally {
    ending.release()
  }
}

/** In the source's own words where it has any, otherwise by the status. */
function faultOf(request: HttpRequest, answer: HttpAnswer): Fault | undefined {
  const statedMs = retryAfterMs(answer)
  const fault = request.classify(answer) ?? faultOfStatus(request, answer)
  // A source that is out of order and says for how long is not asked before.
  return fault?.remedy === 'retry' && statedMs !== undefined
    ? new RateLimited(`${fault.message}; it says to wait ${statedMs / second} s`, statedMs)
    : fault
}

function refuseOtherThanJson({ source, path }: HttpRequest, { headers }: HttpAnswer): void {
  const type = headers['content-type']
  if (type !== undefined && !/\bjson\b/i.test(type)) {
    throw new Malformed(`${source} answered ${path} with ${type.split(';')[0]} instead of JSON`)
  }
}
