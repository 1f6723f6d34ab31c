import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import { jobs, queues } from '../../jobs/catalog.ts'
import type { Pause } from '../../src/http/pauses.ts'
import { second } from '../../src/market/instant.ts'
import { announceRoles } from '../../src/runtime/presence.ts'
import { Releases } from '../../src/runtime/release.ts'
import { aBatch, aCandle, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { ask } from './asking.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { failed, storeOrdinaryDay, storeRun, storeSamples, storeSeries, storeYear } from './sample.ts'
import { now, serve, settingsFor, silent, test as withEngine } from './serving.ts'

const settings = settingsFor()

/** A server with an ordinary day behind it, and a browser. */
const test = withEngine
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures it needs from the pattern
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await openBrowser()
    onCleanup(() => browser.close())
    return browser
  })
  .extend('web', async ({ freshDatabase, engine }, { onCleanup }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    const releases = new Releases()
    onCleanup(() => releases.release())
    const presence = await announceRoles(freshDatabase.url, ['worker'], 'postgres', silent)
    releases.push(() => presence.release())
    const web = await serve({ database: freshDatabase, engine }, { startedAt: plus(now, -86_400 * second) })
    releases.push(() => web.close())
    return web
  })

describe.skipIf(browserPath === undefined)('the status page in a browser', () => {
  test('shows every part, asks nobody else and complains of nothing', async ({ web, browser }) => {
    await using visited = await visit(browser)
    const { page, requests, complaints } = visited
    await page.goto(web.url)
    await page.getByText('Everything is fine: all 24 series are fresh and complete.').first().waitFor()
    expect(await page.locator('#freshness .cell.fresh').count()).toBe(24)
    expect(await page.locator('#prices tbody tr').allInnerTexts()).toHaveLength(6)
    expect(await page.locator('#prices tbody tr').last().innerText()).toContain('0.00000318')
    expect(await page.locator('#runs tbody tr:not(.error-row)').count()).toBe(12)
    // All of them are empty, and are named all the same.
    expect(await page.locator('#queues [data-part] a').allInnerTexts()).toEqual([...queues])
    await page.locator('#jobs tbody tr').first().waitFor()
    expect(await page.locator('#jobs tbody tr').count()).toBe(jobs.length)
    expect(await page.locator('#storage tbody th').allInnerTexts()).toContain('ohlcv_data_1m')
    await page.locator('#sources tbody tr').waitFor()
    await page.getByText('Nothing has been archived yet.').waitFor()
    await page.getByText('No alerts in the last 24 hours.').waitFor()
    await page.getByText('The first sample is taken within a minute.').waitFor()
    expect(await page.title()).toBe('✓ All is well · Beacon')
    expect(requests.filter((url) => !url.startsWith(`${web.url}/`))).toEqual([])
    expect(complaints).toEqual([])
  })

  test('brings with it all that it shows first, and asks for what it has not brought', async ({
    web,
    browser,
  }) => {
    await using whole = await visit(browser)
    await whole.page.goto(web.url)
    await everyPart(whole.page)
    expect(askedFirst(whole.requests)).toEqual([])
    expect(await whole.page.locator('[data-request]').count()).toBe(0)
    await using bare = await visit(browser)
    await bare.page.route(`${web.url}/`, async (route) => {
      const answer = await route.fetch()
      const body = (await answer.text()).replace(/<script type="application\/json".*?<\/script>/g, '')
      await route.fulfill({ response: answer, body })
    })
    await bare.page.goto(web.url)
    await everyPart(bare.page)
    const paths = bare.requests.map((url) => new URL(url).pathname)
    expect(paths).toEqual(
      expect.arrayContaining([
        '/api/sources',
        '/api/maintenance',
        '/api/retention',
        '/api/database',
        '/api/coverage',
        '/api/candles',
      ]),
    )
  })

  test('shows a banner for each source that is not asked now, until it ends', async ({
    engine,
    freshDatabase,
    browser,
  }) => {
    let pauses: Pause[] = [
      { source: 'binance', kind: 'banned', leftMs: 120_000 },
      { source: 'coingecko', kind: 'slow-down', leftMs: 7_000 },
    ]
    await using web = await serve({ database: freshDatabase, engine }, { pauses: async () => pauses })
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(web.url)
    const banners = page.getByRole('list', { name: 'Sources that are not asked now' }).getByRole('listitem')
    await banners.first().waitFor()
    expect(await banners.allInnerTexts()).toEqual([
      expect.stringMatching(/binance has banned our address\s*until 12:36:20 UTC, in 2 min$/),
      expect.stringMatching(/coingecko rate-limits this address\s*until 12:34:27 UTC, in 7 s$/),
    ])
    expect(await page.evaluate(contrasts)).toEqual([])
    pauses = []
    await banners.first().waitFor({ state: 'detached' })
    expect(await page.locator('#bans').isVisible()).toBe(false)
    expect(complaints).toEqual([])
  })

  test('shows what is in an error as text', async ({ web, browser, freshDatabase }) => {
    const hostile = `<img src=/leak.png onerror="alert('x')"><script>alert(1)</script>`
    await storeRun(freshDatabase.pool, {
      job: 'refresh-views',
      payload: { view: hostile, coin: hostile },
      startedAt: now,
      end: failed(hostile),
    })
    await using visited = await visit(browser)
    const { page, requests, complaints } = visited
    await page.goto(web.url)
    const error = page.locator('#runs .error').first()
    await error.waitFor()
    expect(await error.innerText()).toBe(hostile)
    expect(await page.locator('.message').innerText()).toContain(hostile)
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(requests.filter((url) => url.includes('leak'))).toEqual([])
    expect(complaints).toEqual([])
  })

  test('does not scroll sideways, from 320 to 1920 px', async ({ web, browser, freshDatabase }) => {
    await storeSamples(freshDatabase.pool, now)
    await using visited = await visit(browser, { viewport: { width: 320, height: 812 } })
    await visited.page.goto(web.url)
    await everyPart(visited.page)
    for (const width of [320, 360, 768, 1001, 1024, 1161, 1280, 1920]) {
      await visited.page.setViewportSize({ width, height: 812 })
      const isWider = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'
      expect([width, await visited.page.evaluate(isWider)]).toEqual([width, false])
      const cut = await visited.page
        .locator('#prices .scroll')
        .evaluate((prices) => prices.scrollWidth > prices.clientWidth)
      expect([width, cut]).toEqual([width, false])
    }
  })

  test('updates itself and leaves the focus where it is', async ({ web, browser, freshDatabase }) => {
    await using visited = await visit(browser)
    const { page, requests } = visited
    await page.goto(web.url)
    const cell = page.locator('#freshness .cell').nth(5)
    await cell.focus()
    await storeRun(freshDatabase.pool, { job: 'brand-new', startedAt: plus(now, second) })
    await page.getByText('brand-new').waitFor()
    const focused = page.locator('#freshness .cell:focus')
    expect(await focused.getAttribute('data-tip')).toBe(await cell.getAttribute('data-tip'))
    expect(requests.filter((url) => url.endsWith('/api/events'))).toHaveLength(1)
    expect(requests.filter((url) => url.endsWith('/api/status'))).toHaveLength(0)
  })

  test('asks again and again where events do not come through', async ({ web, browser, freshDatabase }) => {
    await using visited = await visit(browser)
    const { page } = visited
    await page.route('**/api/events', (route) => route.abort())
    await page.goto(web.url)
    await page.locator('#freshness .cell').first().waitFor()
    await storeRun(freshDatabase.pool, { job: 'brand-new', startedAt: plus(now, second) })
    await page.getByText('brand-new').waitFor()
  })

  test('says so when the daemon is gone', async ({ web, browser }) => {
    await using visited = await visit(browser)
    const { page } = visited
    await page.goto(web.url)
    await page.locator('#freshness .cell').first().waitFor()
    await web.close()
    await page
      .locator('.message', { hasText: /^The daemon has not answered since 12:34:20 UTC; trying again\.$/ })
      .waitFor()
    expect(await page.locator('#freshness .cell').count()).toBe(24)
  })

  test('can be used with the keyboard and read aloud', async ({ web, browser, freshDatabase }) => {
    await storeSeries(freshDatabase.pool, settings, { coinId: 'bitcoin', timeframe: '1m' }, now)
    await using visited = await visit(browser)
    const { page } = visited
    await page.goto(web.url)
    const cell = page.locator('#freshness .cell').first()
    await cell.waitFor()
    for (const landmark of ['banner', 'search', 'main', 'contentinfo'] as const) {
      expect([landmark, await page.getByRole(landmark).count()]).toEqual([landmark, 1])
    }
    for (const name of ['Pages', 'Sections']) await page.getByRole('navigation', { name }).waitFor()
    for (const name of [
      'Freshness',
      'Last prices',
      'Coverage',
      'Candles',
      'Activity',
      'Last runs',
      'Maintenance',
      'Queues',
      'Partitions',
      'Archive',
      'Next retention',
      'Database',
      'Alerts',
    ]) {
      expect([name, await page.getByRole('region', { name }).count()]).toEqual([name, 1])
    }
    expect(await page.locator('th:not([scope])').count()).toBe(0)
    expect(await page.locator('table:not(:has(caption), .chart table)').count()).toBe(0)
    expect(await page.getByRole('status').innerText()).toMatch(/^Everything is fine/)
    expect(await cell.getAttribute('data-tip')).toContain('All 1,439 candles of its history are stored')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.className')).toBe('skip')
    await cell.focus()
    const tip = page.getByRole('tooltip')
    expect(await tip.innerText()).toContain('bitcoin 1m · fresh')
    expect(await cell.getAttribute('aria-describedby')).toBe('tip')
    // The page is drawn again: the tip is still there, and still described.
    await storeRun(freshDatabase.pool, { job: 'brand-new', startedAt: plus(now, second) })
    await page.getByText('brand-new').waitFor()
    expect(await tip.innerText()).toContain('bitcoin 1m · fresh')
    expect(await cell.getAttribute('aria-describedby')).toBe('tip')
    await page.keyboard.press('Escape')
    expect(await tip.count()).toBe(0)
    await page.getByRole('button', { name: 'Show all 18' }).press('Enter')
    expect(await page.locator('#runs tbody tr:not(.error-row)').count()).toBe(18)
  })

  test.for(['light', 'dark'] as const)(
    'can be read in %s',
    async (colorScheme, { web, browser, freshDatabase }) => {
      await storeRun(freshDatabase.pool, { job: 'refresh-views', startedAt: now, end: failed('it broke') })
      await using visited = await visit(browser, { colorScheme })
      const { page } = visited
      await page.goto(web.url)
      await page.locator('#runs .error').first().waitFor()
      const faint = await page.evaluate(contrasts)
      expect(faint).toEqual([])
    },
  )

  test('shows what there is day by day, and why something is not there on the day that is chosen', async ({
    web,
    browser,
    freshDatabase,
  }) => {
    await storeSeries(freshDatabase.pool, settings, { coinId: 'shiba-inu', timeframe: '1h' }, now)
    await freshDatabase.pool.query(
      `update candle_coverage set ranges = ranges - tsmultirange(tsrange('2024-02-28 05:00', '2024-02-28 08:00'))
       where coin_id = 'bitcoin' and timeframe = '1h'`,
    )
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(web.url)
    const bitcoin = page.getByRole('button', {
      name: /^bitcoin 1h, days: 14 complete, 1 partial, 75 not kept/,
    })
    await bitcoin.waitFor()
    expect(await page.locator('.days').count()).toBe(6)
    await bitcoin.focus()
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    expect(await page.getByRole('tooltip').innerText()).toContain(
      '2024-02-28, partial\n21 of 24 stored, 3 missing',
    )
    await page.keyboard.press('Enter')
    await page.getByText('05:00 – 08:00 · 3 candles').waitFor()
    await page.getByRole('group', { name: 'How far back' }).getByRole('button', { name: '30 days' }).click()
    await page
      .getByRole('button', { name: /^bitcoin 1h, days: 14 complete, 1 partial, 15 not kept/ })
      .waitFor()
    expect(complaints).toEqual([])
  })

  test('draws the candles of a series with its gaps, as far back as one likes', async ({
    web,
    browser,
    freshDatabase: { pool },
  }) => {
    const minutes = [-300, -299, -298, -290].map((number) =>
      plus(now, number * 60 * second - (now % (60 * second))),
    )
    const candles = minutes.map((openTime, index) => aCandle(openTime, { close: `1${index}.5`, high: '20' }))
    await load(pool, aBatch({ coinId: 'bitcoin', timeframe: '1m', source: 'binance' }, candles))
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(web.url)
    await page.getByLabel('Coin of the chart').fill('btc')
    await page.keyboard.press('Enter')
    const chart = page.getByRole('img', {
      name: /^4 candles of bitcoin 1m .*the last close 13\.50, 7 missing/,
    })
    await chart.waitFor()
    expect(await page.locator('.chart canvas').count()).toBeGreaterThan(0)
    await page.getByRole('group', { name: 'How much' }).getByRole('button', { name: '1 year' }).click()
    await page.getByRole('img', { name: /^4 candles of bitcoin 1m/ }).waitFor()
    await page.getByLabel('Coin of the chart').fill('PEPE · pepe')
    await page.getByRole('img', { name: 'No candles in this range' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('has nothing that keeps people out, in light and dark, wide and narrow', async ({
    web,
    browser,
    freshDatabase,
  }) => {
    await storeSamples(freshDatabase.pool, now)
    await using visited = await visit(browser)
    const { page } = visited
    await page.goto(web.url)
    await everyPart(page)
    await page.evaluate(axe.source)
    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 1280],
      ['light', 360],
    ] as const) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 800 })
      const found: { id: string; nodes: { html: string }[] }[] = await page.evaluate(
        'axe.run().then((result) => result.violations)',
      )
      const reported = found.map(({ id, nodes }) => [id, nodes[0]?.html])
      expect({ colorScheme, width, reported }).toEqual({ colorScheme, width, reported: [] })
    }
  })

  test('tells what retention will do next, and what it holds back', async ({ web, browser }) => {
    await using visited = await visit(browser)
    const { page, complaints } = visited
    // The database's clock cannot be set, so that of the server that is asked here is not believed.
    const next = JSON.parse((await ask(`${web.url}/api/retention`)).text)
    const partition = { ...next.partitions[0], keptUntil: '2024-03-01T00:00:00.000Z' }
    const plan = {
      ...next,
      refusal: null,
      partitions: [
        {
          ...partition,
          name: 'leaf_one',
          decision: 'goes',
          ending: 'archive',
          rows: 1_440,
          bytes: 2_000_000,
        },
        { ...partition, name: 'leaf_two', decision: 'held-back', reason: 'it was put back from the archive' },
      ],
    }
    await page.route(`${web.url}/`, async (route) => {
      const answer = await route.fetch()
      const brought = /(<script [^>]*data-request="\/api\/retention">).*?(?=<\/script>)/
      const body = (await answer.text()).replace(brought, (_, start) => start + JSON.stringify(plan))
      await route.fulfill({ response: answer, body })
    })
    await page.goto(web.url)
    const retention = page.getByRole('region', { name: 'Next retention' })
    await retention
      .getByText('delete 1 partition with 1,440 rows, 2.0 MB, and hold back 1 partition')
      .waitFor()
    await retention.getByText('It runs at 2024-03-02 00:30 UTC, in 11 h.').waitFor()
    const rows = await retention.locator('tbody tr').allInnerTexts()
    expect(rows[0]).toMatch(
      /^leaf_one\t.*\t1,440\t2\.0 MB\t2024-03-02 00:30\tarchived, read back and dropped$/,
    )
    expect(rows[1]).toContain('held back: it was put back from the archive')
    expect(complaints).toEqual([])
  })

  test('tells of what goes beyond a limit of the database, and of alerts with their beginning and end', async ({
    web,
    browser,
    freshDatabase: { pool },
  }) => {
    await storeSamples(pool, now, { cacheHitRatio: 0.5 })
    await pool.query(`
      insert into incidents (key, message, opened_at, resolved_at) values
        ('database.cache', 'Memory is short: \`beacon doctor\` says more.', '2024-03-01 12:00', null),
        ('disk.filling', 'It was full.', '2024-03-01 09:00', '2024-03-01 10:00')`)
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(web.url)
    await page
      .locator('.headline.attention .message', { hasText: 'Memory is short: beacon doctor says more.' })
      .waitFor()
    expect(await page.locator('#alerts li').allInnerTexts()).toEqual([
      expect.stringMatching(
        /Memory is short: beacon doctor says more\.\s*2024-03-01 12:00, open for 34 min$/,
      ),
      expect.stringMatching(/It was full\.\s*2024-03-01 09:00, resolved after 60 min$/),
    ])
    await page.locator('#database .beyond', { hasText: 'Cache hits, beyond its limit' }).waitFor()
    expect(await page.locator('#database .beyond').count()).toBe(1)
    expect(await page.locator('#database .sparkline polyline').count()).toBe(5)
    expect(complaints).toEqual([])
  })

  test('many coins are one stop of the Tab key, and arrows go from one to the next', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page } = visited
    await page.goto(web.url)
    const cells = page.locator('#freshness .cell')
    await cells.first().focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowRight')
    expect(await cells.nth(5).evaluate('document.activeElement.dataset.tip')).toBe(
      await cells.nth(5).getAttribute('data-tip'),
    )
    expect(await page.locator('#freshness .cell[tabindex="0"]').count()).toBe(1)
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.closest("section").id')).toBe('prices')
    await page.locator('.days').nth(1).focus()
    await page.keyboard.press('ArrowDown')
    expect(await page.evaluate('document.activeElement.dataset.coin')).toBe(
      await page.locator('.days').nth(2).getAttribute('data-coin'),
    )
  })

  test('asks who comes from elsewhere for the password, and shows nothing to a wrong one', async ({
    freshDatabase,
    engine,
    browser,
  }) => {
    await storeOrdinaryDay(freshDatabase.pool, settings, now)
    const variables = { BEACON_HTTP_HOST: '0.0.0.0', BEACON_HTTP_PASSWORD: 'correct horse' }
    await using web = await serve({ database: freshDatabase, engine }, { variables })
    const asking = (password: string) => visit(browser, { httpCredentials: { username: 'anyone', password } })
    await using wrong = await asking('wrong horse')
    expect((await wrong.page.goto(web.url))?.status()).toBe(401)
    expect(await wrong.page.locator('body').innerText()).toContain('the password is wrong')
    expect(await wrong.page.locator('#overall').count()).toBe(0)
    await using right = await asking('correct horse')
    await right.page.goto(web.url)
    // Every part of the page is asked for with it: the events too.
    await everyPart(right.page)
    expect(right.requests.filter((url) => url.endsWith('/api/status'))).toEqual([])
    expect(await right.page.content()).not.toContain('correct horse')
  })

  test('shows a hundred coins and a year of each, asking a few times and for little', async ({
    engine,
    browser,
    freshDatabase,
  }) => {
    await storeYear(freshDatabase.pool, 100, now)
    await using web = await serve({ database: freshDatabase, engine }, { refreshMs: 60_000 })
    await using visited = await visit(browser)
    const { page, requests, complaints } = visited
    const network = await page.context().newCDPSession(page)
    let received = 0
    network.on('Network.dataReceived', ({ encodedDataLength }) => {
      received += encodedDataLength
    })
    await network.send('Network.enable')
    await page.goto(web.url)
    await everyPart(page)
    await page.getByRole('group', { name: 'How far back' }).getByRole('button', { name: '1 year' }).click()
    await page.getByRole('button', { name: /^coin-1 1h, days: 365 complete/ }).waitFor()
    expect(requests.filter((url) => url.includes('/api/coverage'))).toHaveLength(1)
    expect(requests.length).toBeLessThanOrEqual(12)
    expect(received).toBeLessThan(400_000)
    // What comes after a hundred coins is not a hundred rows away.
    const { y } = (await page.locator('#chart').boundingBox()) ?? { y: Number.NaN }
    expect(y + Number(await page.evaluate('scrollY'))).toBeLessThan(1_600)
    expect(complaints).toEqual([])
  })
})

/** What was asked before the page began to listen to events. */
function askedFirst(requests: readonly string[]): string[] {
  const listens = requests.findIndex((url) => url.endsWith('/api/events'))
  return requests.slice(0, listens < 0 ? requests.length : listens).filter((url) => url.includes('/api/'))
}

/** Waits until each part of the page that asks for itself has something to show. */
async function everyPart(page: Page): Promise<void> {
  const parts = [
    '#freshness .cell',
    '.days',
    '.chart canvas',
    '#sources tbody tr',
    '#jobs tbody tr',
    '#database p, #database dl',
  ]
  for (const part of [...parts, '#retention .inset', '#alerts [data-part] > *'])
    await page.locator(part).first().waitFor()
  await page
    .locator('.nothing', { hasText: 'Waiting for the first answer' })
    .first()
    .waitFor({ state: 'detached' })
}

/** Runs in the page: every piece of text whose contrast to what is behind it is below 4.5 to 1. */
const contrasts = `(() => {
  const parse = (text) => {
    const numbers = (text.match(/[\\d.]+/g) ?? []).map(Number)
    return { rgb: numbers.slice(0, 3), alpha: numbers[3] ?? 1 }
  }
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor)
      if (alpha === 1) return rgb
    }
    return [255, 255, 255]
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const faint = []
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement
    const text = texts.currentNode.data.trim()
    if (!text || !element.checkVisibility() || element.closest('.visually-hidden, .badge, .skip, noscript')) continue
    const [a, b] = [luminance(parse(getComputedStyle(element).color).rgb), luminance(behind(element))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5 && !element.classList.contains('mark')) faint.push(text + ' ' + ratio.toFixed(2))
  }
  return faint
})()`
