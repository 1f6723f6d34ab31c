import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import { second } from '../../src/market/instant.ts'
import type { Settings } from '../../src/settings.ts'
import { plus } from '../support/at.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { failed, storeRun, storeSamples, storeYear, storeYearPrices } from './sample.ts'
import { now, serve, settingsFor, test as withEngine } from './serving.ts'

const coins = 1_000
const settings = settingsFor()
const { '5m': policy } = settings.timeframes
const fiveTimeframes: Settings = {
  ...settings,
  timeframes: { ...settings.timeframes, ...(policy ? { '15m': policy } : {}) },
}

const test = withEngine
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from the pattern
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await openBrowser()
    onCleanup(() => browser.close())
    return browser
  })
  .extend('web', { scope: 'file' }, async ({ database, engine }, { onCleanup }) => {
    const { pool } = database
    await storeYear(pool, coins, now, ['1m', '5m', '15m', '1h', '1d'])
    await storeYearPrices(pool, fiveTimeframes, now)
    await storeSamples(pool, now)
    for (let minutes = 0; minutes < 12; minutes += 1) {
      const payload = { source: 'binance', timeframe: '1m' }
      const startedAt = plus(now, -60 * minutes * second)
      await storeRun(pool, { job: 'ingest-candles', payload, startedAt, end: failed('no route '.repeat(40)) })
    }
    await pool.query('analyze')
    const web = await serve({ database, engine }, { settings: fiveTimeframes })
    onCleanup(web.close)
    return web
  })

const nodes = (page: Page) => page.locator('*').count()

describe.skipIf(browserPath === undefined)('a thousand coins of five timeframes', () => {
  test('are less than 1,500 elements of the page, wherever its lists are scrolled to', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(web.url)
    await page.locator('.days').first().waitFor()
    await page.locator('#jobs tbody tr').first().waitFor()
    await page.locator('#database .sparkline').first().waitFor()
    expect(await nodes(page)).toBeLessThan(1_500)
    for (const list of ['#freshness .tall', '#prices .tall', '.heatmap']) {
      const scroller = page.locator(list)
      await scroller.evaluate((one) => one.scrollTo(0, one.scrollHeight / 2))
      await page.locator(`${list} [data-index="${coins / 2}"]`).waitFor()
      await scroller.evaluate((one) => one.scrollTo(0, one.scrollHeight))
      const last = page.locator(`${list} [data-index="${coins - 1}"]`)
      await last.waitFor()
      // The room of the rows that are not drawn is as high as they would be.
      expect([list, await isInside(page, list, coins - 1)]).toEqual([list, true])
    }
    expect(await nodes(page)).toBeLessThan(1_500)
    await page.evaluate(axe.source)
    expect(await page.evaluate('axe.run().then(({ violations }) => violations.map(({ id }) => id))')).toEqual(
      [],
    )
    await page.getByLabel('Coin of the chart').fill('coin-77')
    expect(await page.locator('datalist option').count()).toBeLessThanOrEqual(20)
    await page.keyboard.press('Enter')
    expect(await page.getByLabel('Coin of the chart').inputValue()).toBe('C77 · coin-77')
    expect(complaints).toEqual([])
  })

  test('are reached with the arrow keys, and keep the focus when they are scrolled out of sight and drawn again', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(web.url)
    const focusedRow = () => page.evaluate('document.activeElement.closest("[data-index]")?.dataset.index')
    await page.locator('#freshness .cell').first().focus()
    for (let index = 1; index <= 40; index += 1) await page.keyboard.press('ArrowDown')
    expect(await focusedRow()).toBe('40')
    expect(await isInside(page, '#freshness .tall', 40)).toBe(true)
    expect(await page.locator('#freshness tr:has(:focus)').getAttribute('aria-rowindex')).toBe('42')
    expect(await page.locator('#freshness table').getAttribute('aria-rowcount')).toBe('1001')
    await page.locator('#freshness .tall').evaluate((one) => one.scrollTo(0, 20_000))
    await page.locator('#freshness [data-index="480"]').waitFor()
    await untilDrawnAgain(page)
    expect(await focusedRow()).toBe('40')
    await page.keyboard.press('ArrowUp')
    expect(await focusedRow()).toBe('39')
    expect(await isInside(page, '#freshness .tall', 39)).toBe(true)
    await page.locator('.days').first().focus()
    for (let index = 1; index <= 30; index += 1) await page.keyboard.press('ArrowDown')
    expect(await focusedRow()).toBe('30')
    const row = page.getByRole('listitem').filter({ has: page.locator(':focus') })
    expect(await row.getAttribute('aria-posinset')).toBe('31')
    expect(await row.getAttribute('aria-setsize')).toBe('1000')
    expect(complaints).toEqual([])
  })
})

/** Waits until the series are drawn again. */
async function untilDrawnAgain(page: Page): Promise<void> {
  const fresh = page.locator('#freshness .legend .fresh b')
  await fresh.evaluate((one) => one.replaceChildren())
  await expect.poll(() => fresh.innerText()).not.toBe('')
}

/** Whether the row is in the list's box, below its headings. */
const isInside = (page: Page, list: string, index: number): Promise<unknown> =>
  page.evaluate(`(() => {
    const scroller = document.querySelector(${JSON.stringify(list)})
    const row = scroller.querySelector('[data-index="${index}"]').getBoundingClientRect()
    const box = scroller.getBoundingClientRect()
    return row.top >= box.top - 1 && row.bottom <= box.bottom + 1
  })()`)
