import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  Aborted,
  Banned,
  Blocked,
  Fault,
  Malformed,
  RateLimited,
  Unavailable,
  UnknownError,
  UnknownMarket,
} from '../../src/fault.ts'
import { type Budget, unlimitedBudget } from '../../src/http/budget.ts'
import { type HttpOptions, openHttpClient } from '../../src/http/client.ts'
import type { HttpAnswer, HttpRequest, SendOptions } from '../../src/http/request.ts'
import { minute, plus, second } from '../../src/market/instant.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { recordingLog } from '../queue/fleet.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { names } from '../support/names.ts'
import { json, type MisbehavingServer, openMisbehavingServer } from './misbehaving-server.ts'

const clock = fixedClock('2024-03-01T12:00:00Z')
const canary = 'canary-5f1e9c0b'
const maxBodyBytes = 100_000

let server: MisbehavingServer
beforeAll(async () => {
  server = await openMisbehavingServer()
})
afterAll(() => server.close())

const clientOf = (options: Partial<HttpOptions> = {}) =>
  openHttpClient({
    clock,
    budget: unlimitedBudget,
    timeoutMs: 20 * second,
    maxBodyBytes,
    secretHeaders: { someone: { 'x-api-key': canary } },
    ...options,
  })

const aRequest = (parts: Partial<HttpRequest> = {}): HttpRequest => ({
  source: 'someone',
  baseUrl: server.baseUrl,
  standIns: [],
  path: '/api/prices',
  query: {},
  weight: 1,
  rateLimits: [{ points: 100, perMs: minute }],
  classify: () => undefined,
  ...parts,
})

const sending: SendOptions = { lane: 'live', signal: new AbortController().signal }

/** No limit, but what is told of stops is kept. */
const recordingStops = (pauses: unknown[]): Budget => ({
  ...unlimitedBudget,
  stop: async (_, stop, reason) => void pauses.push({ ...stop, reason }),
})

type Asking = Partial<HttpRequest> & { options?: Partial<HttpOptions>; signal?: AbortSignal }

/** Asks the server once, with an API key, through a client of its own. */
async function ask({ options, signal, ...request }: Asking = {}): Promise<HttpAnswer> {
  const client = clientOf(options)
  try {
    return await client.get(aRequest(request), { ...sending, ...(signal && { signal }) })
  } finally {
    client.close()
  }
}

/** The fault that asking ends in. It must be one, and must not tell the key in any way it can be written down. */
async function faultOf(asking: Asking = {}): Promise<Fault> {
  const error = await ask(asking).then(
    (answer) => new Error(`answered with HTTP ${answer.status}`),
    (reason: unknown) => reason,
  )
  if (!(error instanceof Fault)) throw error
  const written = [
    error.message,
    error.stack,
    String(error),
    JSON.stringify(error),
    inspect(error, { depth: 20 }),
  ]
  expect(written.join('\n')).not.toContain(canary)
  expect(error.message).not.toMatch(/\n/)
  return error
}

const waitOf = async (): Promise<number> => {
  const fault = await faultOf()
  if (!(fault instanceof RateLimited)) throw fault
  return fault.waitMs
}

describe('a name in what is asked for', () => {
  test.each(names)('arrives as it is: %s', async (name) => {
    server.answer(json('{}'))
    await ask({ path: `/markets/${encodeURIComponent(name)}/candles`, query: { symbol: name, limit: '5' } })
    const { pathname, searchParams } = new URL(server.requests[0]?.url ?? '', server.baseUrl)
    expect(pathname.split('/').map(decodeURIComponent)).toEqual(['', 'markets', name, 'candles'])
    expect(Object.fromEntries(searchParams)).toEqual({ symbol: name, limit: '5' })
  })
})

describe('an answer', () => {
  test('arrives as text, digit for digit, with its headers in lower case', async () => {
    const body = '{"price":0.123456789012345678,"\\u00e9":"é"}'
    server.answer(json(body, { 'X-Mbx-Used-Weight-1m': '42' }))
    const { text, status, headers } = await ask()
    expect([text, status, headers['x-mbx-used-weight-1m']]).toEqual([body, 200, '42'])
  })

  test('may be compressed', async () => {
    server.answer((response) => {
      const headers = { 'content-type': 'application/json;charset=UTF-8', 'content-encoding': 'gzip' }
      response.writeHead(200, headers).end(gzipSync('[1]'))
    })
    expect((await ask()).text).toBe('[1]')
  })

  test("was given at the time of its Date header, not of the client's clock", async () => {
    server.answer(json('[]', { date: 'Fri, 01 Mar 2024 11:58:30 GMT' }))
    expect((await ask()).answeredAt).toBe(Date.parse('2024-03-01T11:58:30Z'))
  })

  test("without a Date header that can be read was given now, by the client's clock", async () => {
    server.answer((response) => {
      response.sendDate = false
      response.writeHead(200, { 'content-type': 'application/json' }).end('[]')
    })
    expect((await ask()).answeredAt).toBe(clock.now())
    server.answer(json('[]', { date: 'yesterday' }))
    expect((await ask()).answeredAt).toBe(clock.now())
  })
})

describe('a request', () => {
  test('says what is asked, in the query as the source spells it, with the key of its source', async () => {
    server.answer(json('[]'))
    await ask({ query: { symbols: '["BTCUSDT","币安人生USDT"]', ids: 'a,b', from: '+1 &x' } })
    const [request] = server.requests
    const url = new URL(request?.url ?? '', server.baseUrl)
    expect(request?.method).toBe('GET')
    expect(url.pathname).toBe('/api/prices')
    expect(Object.fromEntries(url.searchParams)).toEqual({
      symbols: '["BTCUSDT","币安人生USDT"]',
      ids: 'a,b',
      from: '+1 &x',
    })
    expect(request?.headers).toMatchObject({ 'x-api-key': canary, accept: 'application/json' })
  })

  test("never carries another source's key", async () => {
    server.answer(json('[]'))
    await ask({ source: 'another' })
    expect(server.requests[0]?.headers).not.toHaveProperty('x-api-key')
  })
})

describe('slowing down', () => {
  test.each([
    [429, { 'retry-after': '7' }, 7 * second],
    [429, { 'retry-after': '0' }, second],
    [429, { 'retry-after': '-5' }, second],
    [429, { 'retry-after': 'Fri, 01 Mar 2024 12:02:00 GMT' }, 2 * minute],
    [429, { 'retry-after': 'Fri, 01 Mar 2024 11:00:00 GMT' }, second],
    [429, { 'retry-after': 'soon' }, minute],
    [429, {}, minute],
    [418, { 'retry-after': '259200' }, 259_200 * second],
    [418, {}, minute],
    [403, {}, minute],
    [403, { 'retry-after': '30' }, 30 * second],
    [503, { 'retry-after': '90' }, 90 * second],
  ])('HTTP %i with %j waits', async (status, headers, waitMs) => {
    // By the source's clock, whatever ours says.
    server.answer(json('{}', { date: 'Fri, 01 Mar 2024 12:00:00 GMT', ...headers }, status))
    expect(await waitOf()).toBe(waitMs)
  })

  test('stops the source for the whole fleet, for as long as it said, and says why', async () => {
    const pauses: unknown[] = []
    const budget = recordingStops(pauses)
    server.answer(json('{}', { 'retry-after': '7' }, 429))
    await faultOf({ options: { budget } })
    server.answer(json('{}', {}, 418))
    expect(await faultOf({ options: { budget } })).toBeInstanceOf(Banned)
    server.answer(json('[]'))
    await ask({ options: { budget } })
    expect(pauses).toEqual([
      {
        kind: 'slow-down',
        leftMs: 7 * second,
        reason: 'someone rate-limits this address for 7 s (HTTP 429)',
      },
      { kind: 'banned', leftMs: minute, reason: 'someone has banned this address for 60 s (HTTP 418)' },
    ])
  })

  test('in the words of the source counts before the status', async () => {
    const pauses: unknown[] = []
    server.answer(json('{"slow":"down"}'))
    const fault = await faultOf({
      options: { budget: recordingStops(pauses) },
      classify: ({ text }) => (text.includes('slow') ? new RateLimited('slow down', 5 * minute) : undefined),
    })
    expect(fault).toBeInstanceOf(RateLimited)
    expect(pauses).toEqual([{ kind: 'slow-down', leftMs: 5 * minute, reason: 'slow down' }])
  })

  test('is told although the budget cannot be reached', async () => {
    const budget = { ...unlimitedBudget, stop: () => Promise.reject(new Error('the store is down')) }
    server.answer(json('{}', { 'retry-after': '7' }, 429))
    expect(await faultOf({ options: { budget } })).toMatchObject({ name: 'RateLimited', waitMs: 7 * second })
  })
})

describe('a region that is not served', () => {
  test('is asked for at the next host, which is then asked first', async () => {
    const other = await openMisbehavingServer()
    try {
      server.answer(json('{}', {}, 451))
      other.answer(json('[1]'))
      const log = recordingLog()
      const client = clientOf({ log })
      const asked = () => client.get(aRequest({ standIns: [other.baseUrl] }), sending)
      expect([(await asked()).text, (await asked()).text]).toEqual(['[1]', '[1]'])
      expect([server.requests.length, other.requests.length]).toEqual([1, 2])
      expect(log.events).toMatchObject([
        {
          event: 'source.host-unserved',
          fields: { source: 'someone', host: new URL(server.baseUrl).host },
        },
      ])
      client.close()
    } finally {
      await other.close()
    }
  })

  test('is reported with what to do where no host serves it, and not asked for again at once', async () => {
    let now = clock.now()
    const pauses: unknown[] = []
    const client = clientOf({ clock: { now: () => now }, budget: recordingStops(pauses) })
    const words = { classify: () => new Blocked('someone does not serve your country') }
    server.answer(json('{}', {}, 403))
    const asked = () => client.get(aRequest(words), sending).catch((error: unknown) => error)
    const fault = await asked()
    const message = `someone does not serve the region of this address (asked ${new URL(server.baseUrl).host}): set SOMEONE_BASE_URL to a host that does, run the daemon elsewhere, or follow the coins on another source`
    expect(fault).toMatchObject({ name: 'Blocked', remedy: 'give-up', message: message })
    expect(await asked()).toMatchObject({ message: message })
    expect(server.requests).toHaveLength(1)
    expect(pauses).toEqual([{ kind: 'unserved', leftMs: 15 * minute, reason: message }])
    now = plus(now, 15 * minute)
    await asked()
    expect(server.requests).toHaveLength(2)
    client.close()
  })

  test('is no reason to leave a host that is down, or refuses', async () => {
    const other = await openMisbehavingServer()
    try {
      other.answer(json('[]'))
      for (const status of [503, 404, 429]) {
        server.answer(json('{}', {}, status))
        await faultOf({ standIns: [other.baseUrl] })
      }
      expect(other.requests).toHaveLength(0)
    } finally {
      await other.close()
    }
  })
})

describe('a refusal', () => {
  test.each([500, 502, 503, 504, 520, 408])('HTTP %i is tried again', async (status) => {
    server.answer(json('{}', {}, status))
    expect(await faultOf()).toBeInstanceOf(Unavailable)
  })

  test.each([400, 401, 404, 410, 422])('HTTP %i without a known error is tried again too', async (status) => {
    server.answer(json('{}', {}, status))
    expect(await faultOf()).toBeInstanceOf(UnknownError)
  })

  test('may be worded by the source', async () => {
    server.answer(json('{"code":-1121}', {}, 400))
    expect(await faultOf({ classify: () => new UnknownMarket('no such market') })).toBeInstanceOf(
      UnknownMarket,
    )
  })

  test('is not quoted: its body may be anything', async () => {
    server.answer(json('{"m":"<script>"}', {}, 404))
    expect((await faultOf()).message).toBe(
      'someone answered /api/prices with HTTP 404 and no error that is known here',
    )
  })
})

test.each([301, 302, 303, 307, 308])(
  'a redirect with HTTP %i is not tracked, and the key goes nowhere',
  async (status) => {
    const elsewhere = await openMisbehavingServer()
    try {
      elsewhere.answer(json('[]'))
      server.answer(json('', { location: `${elsewhere.baseUrl}/steal` }, status))
      const fault = await faultOf()
      expect(fault).toBeInstanceOf(UnknownError)
      expect(fault.message).toContain('another address')
      expect(elsewhere.requests).toHaveLength(0)
      expect(server.requests).toHaveLength(1)
    } finally {
      await elsewhere.close()
    }
  },
)

describe('a body that is not what it should be', () => {
  test('an HTML page with HTTP 200 is malformed', async () => {
    server.answer((response) => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<h1>Just a moment…</h1>')
    })
    const fault = await faultOf()
    expect(fault).toBeInstanceOf(Malformed)
    expect(fault.message).toBe('someone answered /api/prices with text/html instead of JSON')
  })

  test('one that ends before its content-length is tried again', async () => {
    server.answer((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write('[1,2,', () => response.destroy())
    })
    expect(await faultOf()).toBeInstanceOf(Unavailable)
  })

  test('one whose chunks are cut is tried again', async () => {
    server.answer((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('[1,2,', () => response.destroy())
    })
    expect(await faultOf()).toBeInstanceOf(Unavailable)
  })

  test('a compressed one that cannot be unpacked is tried again', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    server.answer((response) => response.writeHead(200, headers).end('not gzip at all'))
    expect((await faultOf()).remedy).toBe('retry')
  })

  test('a compressed one that is cut is not whole JSON, which its adapter refuses', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    const packed = gzipSync(JSON.stringify(Array.from({ length: 1_000 }, (_, index) => index)))
    server.answer((response) => response.writeHead(200, headers).end(packed.subarray(0, packed.length / 2)))
    const { text } = await ask()
    expect(() => JSON.parse(text)).toThrow(SyntaxError)
  })

  test('one that is too large is cut off', async () => {
    server.answer(json(' '.repeat(maxBodyBytes + 1)))
    const fault = await faultOf()
    expect(fault).toBeInstanceOf(Malformed)
    expect(fault.message).toBe(`someone sent more than ${maxBodyBytes} bytes to /api/prices`)
    server.answer(json(' '.repeat(maxBodyBytes)))
    expect((await ask()).text).toHaveLength(maxBodyBytes)
  })

  test('one that unpacks to far more than it weighs is cut off before it fills the memory', async () => {
    const bomb = gzipSync(Buffer.alloc(300 * 1024 * 1024))
    server.answer((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb)
    })
    const before = process.memoryUsage.rss()
    expect(await faultOf()).toBeInstanceOf(Malformed)
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024)
  })
})

describe('a connection', () => {
  test('that is reset is tried again', async () => {
    server.answer((_, { socket }) => socket.resetAndDestroy())
    const fault = await faultOf()
    expect(fault).toBeInstanceOf(Unavailable)
    expect(fault.message).toContain(new URL(server.baseUrl).host)
  })

  test('that is refused is tried again', async () => {
    const port = await freePort(0)
    const fault = await faultOf({ baseUrl: `http://127.0.0.1:${port}` })
    expect(fault).toBeInstanceOf(Unavailable)
    expect(fault.message).toBe(`someone cannot be reached at 127.0.0.1:${port} (ECONNREFUSED)`)
  })

  test('to a name that does not exist is tried again', async () => {
    expect(await faultOf({ baseUrl: 'http://no-such-host.invalid' })).toBeInstanceOf(Unavailable)
  })

  test('whose address holds a password does not tell it', async () => {
    const port = await freePort(0)
    await faultOf({ baseUrl: `http://me:${canary}@127.0.0.1:${port}` })
  })

  test('that never answers ends at the deadline', async () => {
    server.answer(() => {})
    const fault = await faultOf({ options: { timeoutMs: 200 } })
    expect(fault).toBeInstanceOf(Unavailable)
    expect(fault.message).toBe('someone did not finish its answer within 0.2 s')
    await server.connectionLost()
  })

  test('that drips a byte at a time ends at the deadline too', async () => {
    server.answer((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const drip = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(drip))
    })
    const fault = await faultOf({ options: { timeoutMs: 300 } })
    expect(fault).toBeInstanceOf(Unavailable)
    expect(fault.message).toBe('someone did not finish its answer within 0.3 s')
    await server.connectionLost()
  })
})

describe('a stop', () => {
  test('ends the request under way and drops its connection', async () => {
    const stop = new AbortController()
    server.answer((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('[', () => stop.abort())
    })
    expect(await faultOf({ signal: stop.signal })).toBeInstanceOf(Aborted)
    await server.connectionLost()
  })

  test('that came before asks nothing', async () => {
    server.answer(json('[]'))
    expect(await faultOf({ signal: AbortSignal.abort() })).toBeInstanceOf(Aborted)
    expect(server.requests).toHaveLength(0)
  })
})

test('the budget is asked first, and told of every answer', async () => {
  const events: string[] = []
  const budget: Budget = {
    ...unlimitedBudget,
    take: async ({ weight }, lane) => void events.push(`take ${weight} ${lane}`),
    observe: async (_, { status }) => void events.push(`observe ${status}`),
    stop: async () => void events.push('stop'),
  }
  server.answer((response, request) => {
    events.push('request')
    json('{}', {}, 503)(response, request)
  })
  await faultOf({ options: { budget }, weight: 40 })
  expect(events).toEqual(['take 40 live', 'request', 'observe 503'])
})

test('a budget that says no keeps the request at home', async () => {
  server.answer(json('[]'))
  const budget: Budget = {
    ...unlimitedBudget,
    take: () => Promise.reject(new RateLimited('wait', minute)),
  }
  expect(await faultOf({ options: { budget } })).toBeInstanceOf(RateLimited)
  expect(server.requests).toHaveLength(0)
})

test('closing drops the idle connections', async () => {
  server.answer(json('[]'))
  await ask()
  await server.connectionLost()
})
