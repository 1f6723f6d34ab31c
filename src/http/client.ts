import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import axios, { type AxiosInstance, type AxiosResponse, isAxiosError } from 'axios'
import { Aborted, type Fault, Malformed, RateLimited, Refused, Unavailable } from '../fault.ts'
import { minute, second, toInstant } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Budget } from './budget.ts'
import type { HttpAnswer, HttpClient, HttpRequest, SendOptions } from './request.ts'

export type HttpOptions = Readonly<{
  clock: Clock
  budget: Budget
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
export function openHttpClient(options: HttpOptions): HttpClient & { close(): void } {
  const httpAgent = new HttpAgent({ keepAlive: true })
  const httpsAgent = new HttpsAgent({ keepAlive: true })
  const client = axios.create({
    httpAgent,
    httpsAgent,
    // A redirect would carry the API key to wherever it points.
    maxRedirects: 0,
    maxContentLength: options.maxBodyBytes,
    // Text as it came: JSON.parse of axios would swallow digits, and turns a broken body into a plain string.
    responseType: 'text',
    transformResponse: (body: unknown) => body,
    validateStatus: () => true,
    headers: { accept: 'application/json', 'user-agent': 'beacon-ingest' },
  })
  return {
    get: (request, sending) => get(client, options, request, sending),
    close: () => {
      httpAgent.destroy()
      httpsAgent.destroy()
    },
  }
}

async function get(
  client: AxiosInstance,
  options: HttpOptions,
  request: HttpRequest,
  { lane, signal }: SendOptions,
): Promise<HttpAnswer> {
  const { clock, budget } = options
  await budget.take(request, lane, signal)
  const answer = await send(client, options, request, signal)
  await budget.observe(request, answer)
  const fault = request.classify(answer) ?? faultOfStatus(request, answer, clock)
  if (fault instanceof RateLimited) await stopAll(budget, request, fault)
  if (fault) throw fault
  refuseOtherThanJson(request, answer)
  return answer
}

/** Stops the fleet. That the store of the budget fails must not hide that the source told us to wait. */
async function stopAll(budget: Budget, request: HttpRequest, fault: RateLimited): Promise<void> {
  try {
    await budget.stop(request, fault.waitMs)
  } catch (cause) {
    throw new RateLimited(fault.message, fault.waitMs, { cause })
  }
}

async function send(
  client: AxiosInstance,
  { clock, timeoutMs, maxBodyBytes, secretHeaders }: HttpOptions,
  { source, baseUrl, path, query }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  // The timeout of axios is one of silence: a body that drips for ever would never end.
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const response = await client.get<string>(`${baseUrl}${path}`, {
      params: query,
      signal: AbortSignal.any([signal, deadline]),
      headers: { ...secretHeaders?.[source] },
    })
    const headers = keptHeaders(response)
    const date = Date.parse(headers.date ?? '')
    const answeredAt = Number.isNaN(date) ? clock.now() : toInstant(date)
    return { status: response.status, headers, text: response.data, answeredAt }
  } catch (error) {
    if (signal.aborted) throw new Aborted(`the request to ${source} was stopped`)
    if (deadline.aborted)
      throw new Unavailable(`${source} did not finish its answer within ${timeoutMs / second} s`)
    // Never the error itself as cause: it holds the request with its key.
    if (!isAxiosError(error)) throw error
    if (error.message.startsWith('maxContentLength')) {
      throw new Malformed(`${source} sent more than ${maxBodyBytes} bytes to ${path}`)
    }
    throw new Unavailable(
      `${source} cannot be reached at ${new URL(baseUrl).host} (${error.code ?? error.message})`,
    )
  }
}

const defaultWaitMs = minute

function faultOfStatus(
  { source, path }: HttpRequest,
  { status, headers }: HttpAnswer,
  clock: Clock,
): Fault | undefined {
  if (status >= 200 && status < 300) return undefined
  const waitMs = retryAfterMs(headers['retry-after'], clock) ?? defaultWaitMs
  if (status === 429)
    return new RateLimited(`${source} asks us to slow down for ${waitMs / second} s`, waitMs)
  // Binance answers 418 to an address that went on asking after a 429; 403 is its firewall, and other sources' limit.
  if (status === 418 || status === 403)
    return new RateLimited(
      `${source} has banned this address for ${waitMs / second} s (HTTP ${status})`,
      waitMs,
    )
  if (status >= 500 || status === 408)
    return new Unavailable(`${source} answered ${path} with HTTP ${status}`)
  if (status === 451) return new Refused(`${source} does not serve this region (HTTP 451)`)
  if (status >= 300 && status < 400)
    return new Refused(`${source} sent us to another address for ${path}, which is not followed`)
  return new Refused(`${source} refused ${path} with HTTP ${status}`)
}

/** Retry-After is seconds, or a date. */
function retryAfterMs(text: string | undefined, clock: Clock): number | undefined {
  if (text === undefined) return undefined
  const seconds = Number(text)
  const ms = Number.isFinite(seconds) ? seconds * second : Date.parse(text) - clock.now()
  return Number.isFinite(ms) ? Math.max(ms, second) : undefined
}

function refuseOtherThanJson({ source, path }: HttpRequest, { headers }: HttpAnswer): void {
  const type = headers['content-type']
  if (type !== undefined && !/\bjson\b/i.test(type)) {
    throw new Malformed(`${source} answered ${path} with ${type.split(';')[0]} instead of JSON`)
  }
}
