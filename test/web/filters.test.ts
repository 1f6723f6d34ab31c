import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import { hour, minute } from '../../src/market/instant.ts'
import { plus } from '../support/at.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { failed, storeOrdinaryDay, storeRun } from './sample.ts'
import { now, serve, settingsFor, test as withEngine } from './serving.ts'

const settings = settingsFor()

const test = withEngine
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from the pattern
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await openBrowser()
    onCleanup(() => browser.close())
    return browser
  })
  .extend('web', { scope: 'file' }, async ({ database, engine }, { onCleanup }) => {
    const { pool } = database
    await storeOrdinaryDay(pool, settings, now)
    await pool.query(`update candle_coverage set ranges = '{}' where coin_id = 'pepe' and timeframe = '1h'`)
    // Older than the 30 runs that the status has.
    await storeRun(pool, {
      job: 'enforce-retention',
      queue: 'maintenance',
      startedAt: plus(now, -5 * hour),
      end: failed('a partition is in use'),
    })
    for (let n = 0; n < 40; n += 1)
      await storeRun(pool, {
        job: 'sync-instruments',
        queue: 'maintenance',
        payload: { source: 'kraken' },
        startedAt: plus(now, -4 * hour + n * minute),
        end: failed('kraken did not answer'),
      })
    const web = await serve({ database, engine }, { variables: { BEACON_HTTP_BASE_PATH: '/beacon' } })
    onCleanup(() => web.close())
    return web
  })

const coinsIn = (page: Page) => page.locator('#freshness tbody th b').allInnerTexts()
const daysIn = (page: Page) => page.locator('.heatmap-coin b').allInnerTexts()
const pricesIn = (page: Page) => page.locator('#prices tbody th b').allInnerTexts()
const jobsIn = (page: Page) => page.locator('#runs tbody th').allInnerTexts()
const columnsIn = (page: Page) => page.locator('#freshness thead th').allInnerTexts()
const query = (page: Page) => new URL(page.url()).search

describe.skipIf(browserPath === undefined)('the filters of the status page', () => {
  test('a typed coin is shown alone everywhere, kept by a reload, and the back button shows all again', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/`)
    await page.locator('.days').first().waitFor()
    expect(await coinsIn(page)).toHaveLength(6)
    await page.getByLabel('Filter by coin').pressSequentially('ETH')
    await expect.poll(() => coinsIn(page)).toEqual(['ETH'])
    await expect.poll(() => daysIn(page)).toEqual(['ETH'])
    expect(await pricesIn(page)).toEqual(['ETH'])
    expect(query(page)).toBe('?coin=ETH')
    await page.reload()
    await expect.poll(() => coinsIn(page)).toEqual(['ETH'])
    expect(await page.getByLabel('Filter by coin').inputValue()).toBe('ETH')
    await expect.poll(() => daysIn(page)).toEqual(['ETH'])
    // A word that is typed is one entry of the history.
    await page.goBack()
    await expect.poll(() => coinsIn(page)).toHaveLength(6)
    await expect.poll(() => daysIn(page)).toHaveLength(6)
    expect(query(page)).toBe('')
    expect(complaints).toEqual([])
  })

  test('timeframe and state together show the coins with such a series, and can be cleared', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/`)
    await page.locator('.days').first().waitFor()
    await page.getByLabel('Filter by timeframe').selectOption('1h')
    await expect.poll(() => columnsIn(page)).toEqual(['Coin', '1h'])
    await page.getByLabel('Filter by state').selectOption('empty')
    await expect.poll(() => coinsIn(page)).toEqual(['PEPE'])
    expect(query(page)).toBe('?timeframe=1h&state=empty')
    await page.goBack()
    await expect.poll(() => coinsIn(page)).toHaveLength(6)
    expect(await page.getByLabel('Filter by state').inputValue()).toBe('')
    await page.goForward()
    await expect.poll(() => coinsIn(page)).toEqual(['PEPE'])
    await page.getByLabel('Filter by state').selectOption('late')
    await expect.poll(() => page.locator('#freshness').innerText()).toContain('Nothing matches the filters.')
    await page.evaluate(axe.source)
    expect(await page.evaluate('axe.run().then(({ violations }) => violations.map(({ id }) => id))')).toEqual(
      [],
    )
    await page.locator('.filters').first().getByRole('button', { name: 'Clear filters' }).press('Enter')
    await expect.poll(() => coinsIn(page)).toHaveLength(6)
    await expect.poll(() => daysIn(page)).toHaveLength(6)
    expect(query(page)).toBe('')
    expect(await page.evaluate('document.activeElement.dataset.filter')).toBe('coin')
    expect(complaints).toEqual([])
  })

  test('runs are found by job, result and source among all that are recorded', async ({ web, browser }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/?job=enforce-retention&result=failed`)
    await expect.poll(() => jobsIn(page)).toContain('enforce-retention')
    expect((await jobsIn(page)).every((job) => job === 'enforce-retention')).toBe(true)
    const runs = page.getByRole('form', { name: 'Filter runs' })
    expect(await runs.getByLabel('Filter by job').inputValue()).toBe('enforce-retention')
    await runs.getByRole('button', { name: 'Clear filters' }).click()
    await runs.getByLabel('Filter by source').selectOption('kraken')
    await expect.poll(() => page.getByRole('button', { name: 'Show all 40' }).count()).toBe(1)
    await runs.getByLabel('Filter by result').selectOption('done')
    await expect.poll(() => page.locator('#runs').innerText()).toContain('Nothing matches the filters.')
    expect(query(page)).toBe('?source=kraken&result=done')
    // The filters of the coins and of the runs do not change each other.
    await page.getByLabel('Filter by coin').fill('bit')
    expect(query(page)).toBe('?source=kraken&result=done&coin=bit')
    expect(complaints).toEqual([])
  })

  test('what nobody offered matches nothing, and is shown as it was written', async ({ web, browser }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/?state=%3Cb%3Eno&coin=%E5%B9%A3`)
    await expect.poll(() => page.locator('#freshness').innerText()).toContain('Nothing matches the filters.')
    expect(await page.getByLabel('Filter by state').inputValue()).toBe('<b>no')
    expect(await page.getByLabel('Filter by coin').inputValue()).toBe('幣')
    expect(complaints).toEqual([])
  })

  test('the API refuses a result that no run has', async ({ web }) => {
    const answer = await fetch(`${web.url}/api/runs?result=great`)
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('is none of running, done, partial, failed, abandoned')
  })
})
