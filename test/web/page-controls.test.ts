import { describe, expect } from 'vitest'
import { second } from '../../src/market/instant.ts'
import { plus } from '../support/at.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { storeOrdinaryDay } from './sample.ts'
import { now, serve, settingsFor, test as withEngine } from './serving.ts'

const settings = settingsFor()

const test = withEngine
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from the pattern
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await openBrowser()
    onCleanup(() => browser.close())
    return browser
  })
  .extend('web', async ({ freshDatabase, engine }, { onCleanup }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    const web = await serve(
      { database: freshDatabase, engine },
      { startedAt: plus(now, -86_400 * second), variables: { BEACON_HTTP_BASE_PATH: '/beacon' } },
    )
    onCleanup(() => web.close())
    return web
  })

const pageColour = 'getComputedStyle(document.body).backgroundColor'
const [light, dark] = ['rgb(244, 246, 249)', 'rgb(12, 16, 23)']

describe.skipIf(browserPath === undefined)('the controls of the status page', () => {
  test('a chosen theme applies at once, is remembered, and system follows the system again', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser, { colorScheme: 'light' })
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/`)
    const chooser = page.getByLabel('Colours')
    expect(await page.evaluate(pageColour)).toBe(light)
    await chooser.selectOption('Dark')
    expect(await page.evaluate(pageColour)).toBe(dark)
    await page.reload()
    expect(await page.evaluate(pageColour)).toBe(dark)
    expect(await chooser.inputValue()).toBe('dark')
    await chooser.selectOption('System')
    expect(await page.evaluate(pageColour)).toBe(light)
    await page.emulateMedia({ colorScheme: 'dark' })
    await expect.poll(() => page.evaluate(pageColour)).toBe(dark)
    await chooser.selectOption('Light')
    expect(await page.evaluate(pageColour)).toBe(light)
    expect(complaints).toEqual([])
  })

  test('the theme is set before anything is drawn', async ({ web, browser }) => {
    await using visited = await visit(browser, { colorScheme: 'dark' })
    const { page } = visited
    // The module that draws never comes.
    await page.route('**/assets/status.js', (route) => route.abort())
    await page.goto(`${web.url}/beacon/`)
    expect(await page.evaluate(pageColour)).toBe(dark)
  })

  test('/ goes to the search, and Enter to the coin, source or job that was found', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(`${web.url}/beacon/`)
    await page.locator('#jobs tbody tr').first().waitFor()
    await page.keyboard.press('/')
    const search = page.getByRole('combobox', { name: 'Search for a coin, a source or a job' })
    expect(await page.evaluate('document.activeElement.id')).toBe('search')
    await page.keyboard.type('ETH')
    const suggested = `[...document.querySelectorAll('#found option')].map(({ value }) => value)`
    expect(await page.evaluate(suggested)).toEqual(['ethereum'])
    await page.keyboard.press('Enter')
    await page.getByRole('img', { name: /^No candles in this range/ }).waitFor()
    await expect.poll(() => page.getByLabel('Coin of the chart').inputValue()).toBe('ETH · ethereum')
    await search.fill('retention')
    await search.press('Enter')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Maintenance')
    // Through evaluate: the page's policy forbids what waitForFunction does.
    const isInSight = () =>
      page.evaluate(
        `(() => { const { top, bottom } = [...document.querySelectorAll('#jobs th')].find((one) => one.textContent.startsWith('enforce-retention')).getBoundingClientRect(); return top > 0 && bottom < innerHeight })()`,
      )
    await expect.poll(isInSight).toBe(true)
    // A second one would be typed.
    await search.fill('')
    await search.press('/')
    expect(await search.inputValue()).toBe('/')
    await search.fill('nothing like it')
    await search.press('Enter')
    expect(await page.evaluate('document.querySelector("#search").validationMessage')).toBe(
      'No coin, source or job is named "nothing like it".',
    )
    expect(complaints).toEqual([])
  })

  test('the links to the sections stay in sight, and no heading hides below them', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page } = visited
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 800 })
      await page.goto(`${web.url}/beacon/`)
      await page.locator('#jobs tbody tr').first().waitFor()
      const sections = page.getByRole('navigation', { name: 'Sections' })
      await sections.getByRole('link', { name: 'Maintenance' }).click()
      await expect
        .poll(() => page.evaluate('document.querySelector("#jobs").getBoundingClientRect().top'))
        .toBeLessThan(200)
      const [nav, heading] = [await sections.boundingBox(), await page.locator('#jobs h2').boundingBox()]
      expect(nav?.y).toBeLessThan(20)
      expect(heading?.y).toBeGreaterThanOrEqual((nav?.y ?? 0) + (nav?.height ?? 0))
    }
  })
})
