import axe from 'axe-core'
import { describe, expect } from 'vitest'
import { hour, minute } from '../../src/market/instant.ts'
import { traceIdOf } from '../../src/queue/job-trace.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import type { RunAnswer } from '../../src/web/run-api.ts'
import { plus } from '../support/at.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { failed } from './sample.ts'
import { now, serve, settingsFor, test as withEngine } from './serving.ts'

const payload = { coinId: '币安人生', timeframe: '1m', source: 'binance' }
const traced = settingsFor({
  BEACON_HTTP_BASE_PATH: '/beacon',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
})
const viewer = 'https://traces.example.com/trace/{traceId}'

const test = withEngine
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from the pattern
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await openBrowser()
    onCleanup(() => browser.close())
    return browser
  })
  .extend('queued', { scope: 'file' }, async ({ engine }) => {
    const queue = engine.queue('binance')
    const job = await queue.add('backfill-candles', payload, { jobId: 'backfill_1', timestamp: now })
    await queue.addJobLog('backfill_1', '12:00:00 GET binance /klines: failed after 20 ms: <b>no</b>')
    return job
  })

describe.skipIf(browserPath === undefined)('the page of a run', () => {
  test('shows its error and the log of its job, and links to the job, its trace and its series', async ({
    database,
    engine,
    queued,
    browser,
  }) => {
    const db = databaseOf(database.pool)
    const identity = { job: queued.name, queue: 'binance', jobId: queued.id ?? '', attempt: 2, payload }
    const id = await startRun(db, { ...identity, startedAt: plus(now, 1_000) })
    await finishRun(db, id, failed('the source answered with HTTP 503', true), plus(now, 2_000))
    const settings = { ...traced, monitoring: { ...traced.monitoring, traceUrl: viewer } }
    await using web = await serve({ database, engine }, { settings })
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/runs/${id}`)
    await expect.poll(() => page.locator('#log').innerText()).toContain('failed after 20 ms: <b>no</b>')
    expect(await page.locator('#result').innerText()).toContain('the source answered with HTTP 503')
    expect(await page.locator('#result').innerText()).toContain('will be retried')
    const href = (name: string) => page.getByRole('link', { name }).getAttribute('href')
    expect(await href('Trace')).toBe(viewer.replace('{traceId}', traceIdOf(queued)))
    expect(await href('Job on the board')).toBe('/beacon/queues/queue/binance/backfill_1')
    expect(await href('Open this series')).toBe(`/beacon/series/${encodeURIComponent('币安人生')}/1m`)
    await page.evaluate(axe.source)
    expect(await page.evaluate('axe.run().then(({ violations }) => violations.map(({ id }) => id))')).toEqual(
      [],
    )
    await page.getByRole('link', { name: 'Job on the board' }).click()
    await page.getByText('backfill-candles').first().waitFor()
    expect(complaints).toEqual([])
  })

  test('has no log of a later job with the same id, and the id of a trace without a viewer', async ({
    database,
    engine,
    queued,
  }) => {
    const db = databaseOf(database.pool)
    const identity = { job: queued.name, queue: 'binance', jobId: queued.id ?? '', attempt: 1, payload }
    const earlier = await startRun(db, { ...identity, startedAt: plus(now, -hour) })
    const own = await startRun(db, { ...identity, startedAt: plus(now, minute) })
    await using web = await serve({ database, engine }, { settings: traced })
    const answerOf = async (id: string, { url } = web) =>
      (await (await fetch(`${url}/api/run?id=${id}`)).json()) as RunAnswer
    expect((await answerOf(earlier)).job).toBeUndefined()
    expect((await answerOf(own)).job).toEqual({
      lines: [expect.stringContaining('GET binance')],
      trace: { id: traceIdOf(queued), url: null },
    })
    await using plain = await serve({ database, engine })
    expect((await answerOf(own, plain)).job?.trace).toBeNull()
  })
})
