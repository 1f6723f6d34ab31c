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
  /** Logs hosts that do not serve our region. */
  log?: Log
  reachability?: Reachability
  timeoutMs: number
  maxBodyBytes: number
  secretHeaders?: Readonly<Record<string, Readonly<Record<string, string>>>>
}>

const keptHeaders = (response: AxiosResponse): Record<string, string> =>
  Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
  )

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
    /** Hosts that do not serve us, and until when to skip them. */
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

/** Files are much larger than answers. */
const downloadTimeoutFactor = 5

/** How to read a body, and where a rejection's text is. */
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

/** How long to skip a host that does not serve our region; this may change. */
const unservedMs = 15 * minute

/** Tries hosts in order. Throws Blocked if none serves our region. */
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

/** Any answer shows that the source is reachable. */
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

/** Values further ahead come from a clock that was set back since. */
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

/** Without headers or passwords. */
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

/** A failing budget store must not hide the source's rate limit. */
async function stopAll(budget: Budget, request: HttpRequest, fault: RateLimited): Promise<void> {
  const kind = fault instanceof Banned ? 'banned' : 'slow-down'
  try {
    await budget.stop(request, { kind, leftMs: fault.waitMs }, fault.message)
  } catch (cause) {
    throw new RateLimited(fault.message, fault.waitMs, { cause })
  }
}

/** Only axios' adapter: its transforms cost a third of a request, and JSON.parse would lose digits. */
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
      // A redirect would leak the API key.
      maxRedirects: 0,
      // HTTPS_PROXY must not apply to a mirror or the replay exchange on this machine.
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
    // axios' timeout only limits silence.
    if (ending.isLate())
      throw new Unavailable(`${source} did not finish its answer within ${timeoutMs / second} s`)
    // Never as cause: the error holds the request with its key.
    if (!isAxiosError(error)) throw error
    if (error.message.startsWith('maxContentLength')) {
      throw new Malformed(`${source} sent more than ${maxBodyBytes} bytes to ${path}`)
    }
    throw new Unavailable(unreachableText(source, hostOf(baseUrl), error.code ?? error.message))
  } finally {
    ending.release()
  }
}

/** By the source's message, else by the status. */
function faultOf(request: HttpRequest, answer: HttpAnswer): Fault | undefined {
  const statedMs = retryAfterMs(answer)
  const fault = request.classify(answer) ?? faultOfStatus(request, answer)
  // Respects the source's Retry-After.
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
