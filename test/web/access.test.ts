import { once } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http'
import { createServer } from 'node:net'
import { fastify } from 'fastify'
import { describe, expect } from 'vitest'
import { Misconfigured } from '../../src/fault.ts'
import { isLoopback } from '../../src/http/loopback.ts'
import { boundRate } from '../../src/web/rate.ts'
import { recordingLog } from '../queue/fleet.ts'
import { ask, basic, nextEvent, open } from './asking.ts'
import { serve, settingsFor, test, writableBoard } from './serving.ts'

const password = 'correct horse'

/** Every kind of route there is, and one that is not. */
const guarded = [
  '/',
  '/api/status',
  '/assets/status.js',
  '/assets/status.css',
  '/queues',
  '/queues/api/queues',
  '/queues/static/favicon.ico',
  '/nothing',
]

describe('where it listens', () => {
  test('loopback is known in all its forms', () => {
    const forms = ['127.0.0.1', '127.8.9.10', 'localhost', 'LOCALHOST', '::1', '[::1]', '::ffff:127.0.0.1']
    expect(forms.filter((host) => !isLoopback(host))).toEqual([])
    const others = [
      '0.0.0.0',
      '::',
      '192.168.1.4',
      'example.com',
      'localhost.example.com',
      '127.0.0.1.nip.io',
      '',
    ]
    expect(others.filter(isLoopback)).toEqual([])
  })

  test('it refuses to be reached by others without a password', async ({ database, engine }) => {
    for (const host of ['0.0.0.0', '::', '192.168.1.4']) {
      const opened = serve({ database, engine }, { variables: { BEACON_HTTP_HOST: host } })
      await expect(opened).rejects.toThrow(Misconfigured)
      await expect(opened).rejects.toThrow('BEACON_HTTP_PASSWORD')
    }
  })

  test('with a password it may be reached by others', async ({ database, engine }) => {
    const variables = { BEACON_HTTP_HOST: '0.0.0.0', BEACON_HTTP_PASSWORD: password }
    await using web = await serve({ database, engine }, { variables })
    const { port } = new URL(web.url)
    const answer = await ask(`http://127.0.0.1:${port}/api/status`, {
      headers: { host: 'beacon.example', ...basic(password) },
    })
    expect(answer.status).toBe(200)
  })

  test('a taken port is reported with its remedy', async ({ database, engine }) => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' && address ? address.port : 0
    try {
      const opened = serve(
        { database, engine },
        { settings: settingsFor({ BEACON_HTTP_PORT: String(port) }) },
      )
      await expect(opened).rejects.toThrow(Misconfigured)
      await expect(opened).rejects.toThrow(`port ${port} of 127.0.0.1 is taken: set BEACON_HTTP_PORT`)
    } finally {
      other.close()
    }
  })
})

describe('the password', () => {
  test('every route asks for it but the health checks', async ({ database, engine }) => {
    await using web = await serve({ database, engine }, { variables: { BEACON_HTTP_PASSWORD: password } })
    for (const path of guarded) {
      const none = await ask(web.url + path)
      expect([path, none.status]).toEqual([path, 401])
      expect(none.headers['www-authenticate']).toMatch(/^Basic realm="Beacon"/)
      expect(none.headers['content-security-policy']).toContain("frame-ancestors 'none'")
      expect([path, (await ask(web.url + path, { headers: basic('wrong') })).status]).toEqual([path, 401])
      const right = await ask(web.url + path, { headers: basic(password) })
      expect([path, right.status]).toEqual([path, path === '/nothing' ? 404 : 200])
    }
    expect((await ask(`${web.url}/api/events`)).status).toBe(401)
    expect((await ask(`${web.url}/healthz`)).status).toBe(200)
    expect((await ask(`${web.url}/readyz`)).status).not.toBe(401)
  })

  test('the user may have any name, and the password any letter', async ({ database, engine }) => {
    const odd = 'пароль: ünï'
    await using web = await serve({ database, engine }, { variables: { BEACON_HTTP_PASSWORD: odd } })
    for (const user of ['', 'admin', 'jörg']) {
      expect((await ask(`${web.url}/`, { headers: basic(odd, user) })).status).toBe(200)
    }
    for (const authorization of ['Basic', 'Basic !!!', 'Bearer token', 'Basic cGFzc3dvcmQ=']) {
      expect((await ask(`${web.url}/`, { headers: { authorization } })).status).toBe(401)
    }
  })

  test('after ten wrong ones an address waits, with the right one too', async ({ database, engine }) => {
    await using web = await serve({ database, engine }, { variables: { BEACON_HTTP_PASSWORD: password } })
    const statuses: number[] = []
    for (let tried = 0; tried < 12; tried += 1) {
      statuses.push((await ask(`${web.url}/`, { headers: basic(`wrong ${tried}`) })).status)
    }
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429])
    const right = await ask(`${web.url}/`, { headers: basic(password) })
    expect(right.status).toBe(429)
    expect(Number(right.headers['retry-after'])).toBeGreaterThan(0)
    expect((await ask(`${web.url}/healthz`)).status).toBe(200)
  })
})

describe('whose page asks', () => {
  test('on loopback only its own names are answered', async ({ database, engine }) => {
    await using web = await serve({ database, engine })
    const { port } = new URL(web.url)
    const own = [`127.0.0.1:${port}`, 'localhost', `localhost:${port}`, `[::1]:${port}`, `127.0.0.1`]
    for (const host of own) {
      expect([host, (await ask(`${web.url}/`, { headers: { host } })).status]).toEqual([host, 200])
    }
    const foreign = [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.nip.io',
      'localhost.evil.example',
      '0.0.0.0',
    ]
    for (const host of foreign) {
      for (const path of ['/', '/healthz', '/api/status', '/queues/api/queues']) {
        const answer = await ask(web.url + path, { headers: { host } })
        expect([host, path, answer.status]).toEqual([host, path, 403])
      }
    }
  })

  test('only its own page may change anything', async ({ database, engine }) => {
    await using web = await serve({ database, engine }, { settings: writableBoard() })
    const pause = (headers: Record<string, string>, method = 'PUT') =>
      ask(`${web.url}/queues/api/queues/binance/pause`, { method, headers })
    const foreign = [
      {},
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: web.url.replace('http:', 'https:').replace(/\d+$/, '1') },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: web.url },
      { 'content-type': 'text/plain', origin: 'http://evil.example' },
    ]
    for (const headers of foreign) {
      for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
        expect([headers, method, (await pause(headers, method)).status]).toEqual([headers, method, 403])
      }
    }
    expect(await engine.queue('binance').isPaused()).toBe(false)
    expect((await pause({ origin: web.url })).status).toBe(200)
    expect(await engine.queue('binance').isPaused()).toBe(true)
    const resumed = await ask(`${web.url}/queues/api/queues/binance/resume`, {
      method: 'PUT',
      headers: { 'sec-fetch-site': 'same-origin' },
    })
    expect(resumed.status).toBe(200)
  })

  test('it cannot be framed, sniffed or shared with another origin', async ({ database, engine }) => {
    await using web = await serve({ database, engine })
    for (const path of [...guarded, '/healthz']) {
      const { headers } = await ask(web.url + path, { headers: { origin: 'http://evil.example' } })
      expect(headers['content-security-policy']).toContain("default-src 'none'")
      expect(headers['content-security-policy']).toContain("script-src 'self';")
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
      expect(headers['x-frame-options']).toBe('DENY')
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['referrer-policy']).toBe('no-referrer')
      expect(headers['access-control-allow-origin']).toBeUndefined()
      expect(headers['x-powered-by']).toBeUndefined()
    }
    const page = await ask(web.url)
    expect(page.headers['content-security-policy']).toContain("style-src 'self';")
  })
})

describe('what it says', () => {
  test('an address that asks too much is told to slow down', async () => {
    await using app = fastify()
    boundRate(app, { requests: 3, seconds: 60 })
    app.get('/', async () => 'here')
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const statuses: number[] = []
    for (let asked = 0; asked < 4; asked += 1) statuses.push((await ask(url)).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    const { headers, text } = await ask(url)
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    expect(text).toContain('more than 3 requests in 60 s: send fewer')
  })

  test('a large body is refused', async ({ database, engine }) => {
    await using web = await serve({ database, engine }, { settings: writableBoard() })
    const answer = await ask(`${web.url}/queues/api/queues/binance/pause`, {
      method: 'PUT',
      headers: { origin: web.url, 'content-type': 'application/json' },
      body: JSON.stringify('x'.repeat(100_000)),
    })
    expect(answer.status).toBe(413)
  })

  test('a file that is not ours is not there', async ({ database, engine }) => {
    await using web = await serve({ database, engine })
    const paths = [
      '/assets/',
      '/assets/../server.ts',
      '/assets/..%2fserver.ts',
      '/assets/%2e%2e/server.ts',
      '/assets//etc/passwd',
      '/queues/static/..%2f..%2f..%2fpackage.json',
    ]
    for (const path of paths) {
      expect([path, (await ask(web.url + path)).status]).toEqual([path, 404])
    }
  })

  test('an asset is not sent again to a browser that has it', async ({ database, engine }) => {
    await using web = await serve({ database, engine })
    const first = await ask(`${web.url}/assets/status.js`)
    expect(first.headers['content-type']).toMatch(/^text\/javascript/)
    const headers = { 'if-none-match': String(first.headers.etag) }
    const again = await ask(`${web.url}/assets/status.js`, { headers })
    expect([again.status, again.text]).toEqual([304, ''])
  })

  test('closing ends the streams that are open', async ({ database, engine }) => {
    const web = await serve({ database, engine })
    const stream = await open(`${web.url}/api/events`)
    await nextEvent(stream, 'status')
    await web.close()
    await expect(ask(`${web.url}/healthz`)).rejects.toThrow('ECONNREFUSED')
  })
})

describe('behind a proxy', () => {
  const from = (address: string, given: OutgoingHttpHeaders = {}) => ({
    headers: { 'x-forwarded-for': address, 'x-forwarded-host': 'hub.example.com', ...given },
  })
  const trusted = { BEACON_HTTP_PASSWORD: password, BEACON_TRUST_PROXY: '127.0.0.1' }

  test.for(['1', '127.0.0.0/8'])(
    'with %s trusted, the wrong passwords of one client lock out no other',
    async (trustProxy, { database, engine }) => {
      const variables = { ...trusted, BEACON_TRUST_PROXY: trustProxy }
      await using web = await serve({ database, engine }, { variables })
      for (let tried = 0; tried < 11; tried += 1)
        await ask(`${web.url}/`, from('203.0.113.9', basic('wrong')))
      expect((await ask(`${web.url}/`, from('203.0.113.9', basic(password)))).status).toBe(429)
      expect((await ask(`${web.url}/`, from('203.0.113.10', basic(password)))).status).toBe(200)
      // Only the proxy itself is believed: what the client has put in front is not.
      const spoofed = await ask(`${web.url}/`, from('203.0.113.10, 203.0.113.9', basic(password)))
      expect(spoofed.status).toBe(429)
    },
  )

  test('that is not trusted, the header of a client changes nothing, and the log says what to set', async ({
    database,
    engine,
  }) => {
    const log = recordingLog()
    await using web = await serve(
      { database, engine },
      { variables: { BEACON_HTTP_PASSWORD: password }, log },
    )
    for (let tried = 0; tried < 11; tried += 1) {
      await ask(`${web.url}/`, from(`203.0.113.${tried}`, basic('wrong')))
    }
    expect((await ask(`${web.url}/`, from('203.0.113.99', basic(password)))).status).toBe(429)
    const named = (event: string) => log.events.filter((one) => one.event === event)
    expect(named('web.proxy-not-trusted')).toHaveLength(1)
    expect(named('web.wrong-password').at(-1)).toMatchObject({
      level: 'warn',
      fields: { ip: '127.0.0.1', path: '/', lockedOut: true },
    })
    expect(JSON.stringify(log.events)).not.toContain('wrong"')
  })

  test('600 requests of one client neither stop the others nor the health checks', async ({
    engine,
    database,
  }) => {
    await using web = await serve({ database, engine }, { variables: { BEACON_TRUST_PROXY: '1' } })
    const answers = await Promise.all(
      Array.from({ length: 620 }, () => ask(`${web.url}/assets/status.css`, from('203.0.113.9'))),
    )
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(20)
    expect((await ask(`${web.url}/healthz`, from('203.0.113.9'))).status).toBe(200)
    expect((await ask(`${web.url}/assets/status.css`, from('203.0.113.10'))).status).toBe(200)
  })

  test('page, board, events and API are served below the base path, whether the proxy strips it or not', async ({
    engine,
    database,
  }) => {
    await using web = await serve(
      { database, engine },
      { variables: { BEACON_HTTP_BASE_PATH: '/hub/beacon' } },
    )
    for (const base of ['', '/hub/beacon']) {
      const page = await ask(`${web.url}${base}/`)
      expect(page.text).toContain('href="/hub/beacon/assets/status.css"')
      expect(page.text).toContain('href="/hub/beacon/queues"')
      expect(page.text).not.toMatch(/(?:href|src)="\/(?!hub)/)
      expect((await ask(`${web.url}${base}/queues`)).text).toContain('<base href="/hub/beacon/queues/"')
      for (const path of ['/api/status', '/assets/status.js', '/metrics', '/healthz', '/queues/api/queues']) {
        expect([base + path, (await ask(web.url + base + path)).status]).toEqual([base + path, 200])
      }
    }
    const redirected = await ask(`${web.url}/hub/beacon`)
    expect([redirected.status, redirected.headers.location]).toEqual([302, '/hub/beacon/'])
    expect((await ask(`${web.url}/hub/beaconing`)).status).toBe(404)
  })

  test('on the same machine the name of pageUrl is answered, and no other', async ({ engine, database }) => {
    const settings = settingsFor({ BEACON_TRUST_PROXY: '1' })
    const monitoring = { ...settings.monitoring, pageUrl: 'https://hub.example.com/beacon' }
    await using web = await serve({ database, engine }, { settings: { ...settings, monitoring } })
    const status = async (host: string) => (await ask(`${web.url}/`, { headers: { host } })).status
    expect(await status('hub.example.com')).toBe(200)
    expect(await status('evil.example.com')).toBe(403)
  })
})
