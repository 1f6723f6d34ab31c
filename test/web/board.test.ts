import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import { engines, test as withDatabase } from '../support/database.ts'
import { ask } from './asking.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { openTestEngine, serve, writableBoard } from './serving.ts'

const image = '<img src="/leak.png" onerror="alert(1)">'

describe.each(engines)('the board on %s', (kind) => {
  const test = withDatabase
    .extend('engine', async ({ database }, { onCleanup }) => {
      const engine = await openTestEngine(database.url, kind)
      onCleanup(engine.close)
      return engine
    })
    // Redis is shared by the whole run: the name keeps this one apart.
    .extend('queue', async ({ engine }) => {
      const name = `board-${randomUUID()}`
      await engine.queue(name).add('greet', { name: 'world' })
      return name
    })

  test('lists every queue and its jobs', async ({ database, engine, queue }) => {
    await using web = await serve({ database, engine }, { queues: [queue, `${queue}-other`] })
    const { status, text } = await ask(`${web.url}/queues/api/queues?activeQueue=${queue}&status=waiting`)
    expect(status).toBe(200)
    const listed = JSON.parse(text).queues
    expect(listed.map(({ name }: { name: string }) => name)).toEqual([queue, `${queue}-other`])
    expect(listed[0]).toMatchObject({ readOnlyMode: true, jobs: [{ name: 'greet' }] })
    expect((await ask(`${web.url}/queues/`)).status).toBe(200)
    expect((await ask(`${web.url}/queues/queue/${queue}`)).text).toContain('<base href="/queues/"')
  })

  test('changes nothing unless it is asked to', async ({ database, engine, queue }) => {
    await using web = await serve({ database, engine }, { queues: [queue] })
    const headers = { origin: web.url, 'content-type': 'application/json' }
    for (const [method, path, body] of [
      ['PUT', `/api/queues/${queue}/pause`, undefined],
      ['PUT', `/api/queues/${queue}/empty`, undefined],
      ['PUT', '/api/queues/pause', undefined],
      ['POST', `/api/queues/${queue}/add`, '{"name":"evil","data":{}}'],
      ['PUT', `/api/queues/${queue}/obliterate`, undefined],
      ['DELETE', `/api/queues/${queue}`, undefined],
    ] as const) {
      const sent = body === undefined ? { headers: { origin: web.url } } : { headers, body }
      const answer = await ask(`${web.url}/queues${path}`, { method, ...sent })
      expect([path, [404, 405].includes(answer.status)]).toEqual([path, true])
    }
    expect(await engine.queue(queue).isPaused()).toBe(false)
    expect(await engine.queue(queue).getWaitingCount()).toBe(1)
  })

  test('when writable still edits no payload, schedule, limit or concurrency, and runs nothing anew', async ({
    database,
    engine,
    queue,
  }) => {
    await using web = await serve({ database, engine }, { queues: [queue], settings: writableBoard() })
    const job = await engine.queue(queue).add('greet', { name: 'again' })
    const send = (method: string, path: string, body?: object) =>
      ask(`${web.url}/queues/api/queues/${queue}/${path}`, {
        method,
        headers: { origin: web.url, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
    for (const [method, path, body] of [
      ['PATCH', `${job.id}/update-data`, { jobData: { name: 'evil' } }],
      ['PATCH', `${job.id}/delay`, { delay: 1 }],
      ['PATCH', `${job.id}/priority`, { priority: 1 }],
      ['PUT', 'rate-limit', { max: 1, duration: 1 }],
      ['PUT', 'rate-limit/release', undefined],
      ['PUT', 'concurrency', { concurrency: 1 }],
      ['PUT', 'empty', undefined],
      ['PUT', 'job-schedulers/one/remove', undefined],
      ['PUT', 'job-schedulers/one/run', undefined],
      ['PATCH', 'job-schedulers/one', {}],
      ['PUT', `${job.id}/remove-unprocessed-children`, undefined],
    ] as const) {
      expect([path, (await send(method, path, body)).status]).toEqual([path, 403])
    }
    expect((await engine.queue(queue).getJob(String(job.id)))?.data).toEqual({ name: 'again' })
    const promoted = await send('PUT', `${job.id}/promote`)
    expect([promoted.status, JSON.parse(promoted.text).error]).toEqual([
      409,
      expect.stringContaining('reload the board'),
    ])
  })

  test('when writable still adds no job and destroys no queue', async ({ database, engine, queue }) => {
    await using web = await serve({ database, engine }, { queues: [queue], settings: writableBoard() })
    const send = (method: string, path: string, body?: object) =>
      ask(`${web.url}/queues/api/queues/${queue}/${path}`, {
        method,
        headers: { origin: web.url, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
    expect((await send('POST', 'add', { name: 'evil', data: {} })).status).toBe(403)
    expect((await send('PUT', 'obliterate')).status).toBe(403)
    expect((await send('PUT', 'pause')).status).toBe(200)
    expect(await engine.queue(queue).isPaused()).toBe(true)
    expect((await send('PUT', 'resume')).status).toBe(200)
    expect(await engine.queue(queue).getWaitingCount()).toBe(1)
  })

  test('tells nothing of an error but that there was one', async ({ database, queue }) => {
    const closed = await openTestEngine(database.url, kind)
    await using web = await serve({ database, engine: closed }, { queues: [queue] })
    await closed.close()
    const { status, text } = await ask(`${web.url}/queues/api/queues`)
    expect([500, 503]).toContain(status)
    expect(JSON.parse(text)).toEqual({ error: 'this did not work: see the log of the daemon' })
  })

  test('names a job by what it is about', async ({ database, engine, queue }) => {
    const payload = {
      coinId: 'bitcoin',
      timeframe: '1m',
      source: 'binance',
      from: '2024-03-01T00:00Z',
      to: '2024-03-04T00:00Z',
    }
    const job = await engine.queue(queue).add('backfill-candles', payload)
    await job.updateProgress({ done: 250, total: 1_000 })
    await job.log('1000 candles were owed')
    await using web = await serve({ database, engine }, { queues: [queue] })
    const api = `${web.url}/queues/api/queues`
    const { queues: listed } = JSON.parse((await ask(`${api}?activeQueue=${queue}&status=waiting`)).text)
    expect(listed[0].jobs).toContainEqual(
      expect.objectContaining({
        name: 'backfill-candles · bitcoin 1m binance, 2024-03-01 to 2024-03-04',
        progress: 25,
        data: payload,
      }),
    )
    expect(JSON.parse((await ask(`${api}/${queue}/${job.id}/logs`)).text)).toEqual(['1000 candles were owed'])
  })

  test.skipIf(browserPath === undefined)(
    'has buttons in a browser only where it is writable, and the server refuses them otherwise',
    async ({ database, engine, queue, onTestFinished }) => {
      const browser = await openBrowser()
      onTestFinished(() => browser.close())
      const pauses = async (url: string) => {
        await using visited = await visit(browser)
        const { page } = visited
        await page.goto(`${url}/queues/queue/${queue}`)
        await page.getByText('greet').first().waitFor()
        const buttons = await page.getByRole('button').count()
        const status = await page.evaluate(
          `fetch('/queues/api/queues/${queue}/pause', { method: 'PUT' }).then(({ status }) => status)`,
        )
        return { buttons, status }
      }
      await using closed = await serve({ database, engine }, { queues: [queue] })
      const readOnly = await pauses(closed.url)
      expect(readOnly.status).toBe(405)
      expect(await engine.queue(queue).isPaused()).toBe(false)
      await using open = await serve({ database, engine }, { queues: [queue], settings: writableBoard() })
      const writable = await pauses(open.url)
      expect(writable.status).toBe(200)
      expect(writable.buttons).toBeGreaterThan(readOnly.buttons)
      expect(await engine.queue(queue).isPaused()).toBe(true)
      await engine.queue(queue).resume()
    },
  )

  test.skipIf(browserPath === undefined)(
    'works in a browser with everything external blocked, and shows hostile jobs as text',
    async ({ database, engine, queue, onTestFinished }) => {
      const job = await engine.queue(queue).add(image, { note: image })
      await using web = await serve({ database, engine }, { queues: [queue] })
      const browser = await openBrowser()
      onTestFinished(() => browser.close())
      await using visited = await visit(browser)
      const { page, requests, complaints } = visited
      await page.goto(`${web.url}/queues/queue/${queue}/${job.id}`)
      await page.getByText(image).first().waitFor()
      expect(await page.locator('img[src="/leak.png"]').count()).toBe(0)
      expect(requests.filter((url) => !url.startsWith(web.url))).toEqual([])
      expect(complaints).toEqual([])
      expect(requests.filter((url) => url.includes('leak.png'))).toEqual([])
    },
  )
})
