import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import { minute } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { quarantine } from '../../src/store/quarantine.ts'
import { listRuns } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { aBatch, candlesIn, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { done, settle, storeRun } from './sample.ts'
import { now, serve, settingsFor, test as withEngine } from './serving.ts'

const settings = settingsFor()
const series = { coinId: 'bitcoin', timeframe: '1m', source: 'binance' } as const
const end = floorTo('1m', now)
const gap = { from: plus(end, -40 * minute), to: plus(end, -20 * minute) }

const test = withEngine
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from the pattern
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await openBrowser()
    onCleanup(() => browser.close())
    return browser
  })
  .extend('web', { scope: 'file' }, async ({ database, engine }, { onCleanup }) => {
    const { pool } = database
    await settle(pool, settings, now)
    for (const [from, to] of [
      [plus(end, -60 * minute), gap.from],
      [gap.to, end],
    ] as const)
      await load(pool, aBatch(series, candlesIn({ from, to }, '1m')))
    await storeRun(pool, {
      job: 'backfill-candles',
      payload: {
        coinId: 'bitcoin',
        timeframe: '1m',
        source: 'binance',
        from: '2024-03-01T00:00:00.000Z',
        to: '2024-03-02T00:00:00.000Z',
      },
      startedAt: plus(now, -30 * minute),
      end: done({ received: 40, new: 40, revised: 0, quarantined: 1 }),
    })
    const [run] = await listRuns(databaseOf(pool), 1)
    await quarantine(
      databaseOf(pool),
      { source: 'binance', market: 'BTCUSDT', coinId: 'bitcoin', timeframe: '1m', runId: run?.id ?? '', now },
      [{ raw: '[]', reason: 'high is below low', openTime: plus(gap.from, minute) }],
    )
    const web = await serve({ database, engine }, { variables: { BEACON_HTTP_BASE_PATH: '/beacon' } })
    onCleanup(() => web.close())
    return web
  })

const summary = (page: Page) => page.locator('.chart-summary').innerText()

describe.skipIf(browserPath === undefined)('the page of a series', () => {
  test('is reached from the status page with two clicks', async ({ web, browser }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/`)
    await page.getByRole('button', { name: /^bitcoin 1m/ }).click()
    await page.locator('#chart').getByRole('link', { name: 'Open this series' }).click()
    await page.waitForURL('**/beacon/series/bitcoin/1m')
    await page.getByRole('heading', { name: 'BTC 1m' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('says why a candle is missing where the pointer is, and what the next one holds', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/series/bitcoin/1m`)
    await page.getByRole('img', { name: /candles of bitcoin 1m/ }).waitFor()
    const box = await page.locator('.chart').boundingBox()
    if (!box) throw new Error('the chart is not drawn')
    const plot = box.width - 70
    await expect
      .poll(async () => {
        await page.mouse.move(box.x + plot * 0.5, box.y + 150)
        return summary(page)
      })
      .toMatch(/^2024-03-01 12:0\d UTC · no candle: not fetched yet$/)
    await page.mouse.move(box.x + plot * 0.15, box.y + 150)
    await expect.poll(() => summary(page)).toMatch(/^2024-03-01 11:[34]\d UTC · open .* · volume /)
    await page.mouse.move(box.x + plot * (21.5 / 60), box.y + 150)
    await expect.poll(() => summary(page)).toMatch(/no candle: in quarantine: high is below low$/)
    expect(complaints).toEqual([])
  })

  test('has the months, the source, and commands to copy for the range that is shown', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/series/bitcoin/1m`)
    const month = page.locator('#months').getByRole('row', { name: /2024-03/ })
    await expect.poll(() => month.innerText()).toMatch(/^2024-03\s+40\s+0\s+\d+\s/)
    await expect.poll(() => page.locator('#source').innerText()).toContain('binance')
    await expect
      .poll(() => page.locator('#commands').innerText())
      .toContain('beacon verify bitcoin --timeframe 1m --from 2024-03-01T11:34Z --to 2024-03-01T12:34Z')
    await page.evaluate(axe.source)
    expect(await page.evaluate('axe.run().then(({ violations }) => violations.map(({ id }) => id))')).toEqual(
      [],
    )
    expect(complaints).toEqual([])
  })

  test('leads to its runs, each with its parameters and counts', async ({ web, browser, database }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    const [run] = await listRuns(databaseOf(database.pool), 1)
    await page.goto(`${web.url}/beacon/series/bitcoin/1m`)
    await page.locator('#runs').getByRole('link', { name: 'backfill-candles' }).click()
    await page.waitForURL(`**/beacon/runs/${run?.id}`)
    await page.getByRole('heading', { name: 'backfill-candles' }).waitFor()
    await expect.poll(() => page.locator('#parameters').innerText()).toContain('"coinId": "bitcoin"')
    await expect.poll(() => page.locator('#result').innerText()).toContain('"new": 40')
    await expect.poll(() => page.locator('#log').innerText()).toContain('The queue no longer has this job.')
    await page.evaluate(axe.source)
    expect(await page.evaluate('axe.run().then(({ violations }) => violations.map(({ id }) => id))')).toEqual(
      [],
    )
    await page.getByRole('link', { name: 'Open this series' }).click()
    await page.waitForURL('**/beacon/series/bitcoin/1m')
    expect(complaints).toEqual([])
  })

  test('is served for a coin whose name is in another alphabet', async ({ web, database }) => {
    await database.pool.query(
      `insert into coins (id, symbol, name, created_at, updated_at) values ('币 安/人生', '币安', '币安人生', $1, $1)`,
      ['2024-01-01'],
    )
    await database.pool.query(
      `insert into instruments (coin_id, source, symbol, preference, tracked_from)
       values ('币 安/人生', 'binance', '币安人生USDT', 0, '2024-01-01')`,
    )
    const answer = await fetch(`${web.url}/beacon/series/${encodeURIComponent('币 安/人生')}/1m`)
    expect(answer.status).toBe(200)
    expect(await answer.text()).toContain('data-coin="币 安/人生"')
  })

  test('of no series, and of no run, says so with status 404', async ({ web }) => {
    for (const path of [
      '/series/nope/1m',
      '/series/bitcoin/7m',
      '/series/%3Cb%3E/1m',
      `/series/${'a'.repeat(200)}/1m`,
      '/runs/1',
    ]) {
      const answer = await fetch(`${web.url}${path}`)
      expect(answer.status).toBe(404)
      expect(await answer.text()).not.toContain('<b>')
    }
    const missing = await fetch(`${web.url}/api/run?id=00000000-0000-4000-8000-000000000000`)
    expect(missing.status).toBe(404)
  })
})
