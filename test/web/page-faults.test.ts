import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect } from 'vitest'
import { minute, second } from '../../src/market/instant.ts'
import { announceRoles } from '../../src/runtime/presence.ts'
import { aBatch, aCandle, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { browserPath, openBrowser, visit } from './browser.ts'
import { failed, storeOrdinaryDay, storeRun, storeSamples, storeSeries, storeYear } from './sample.ts'
import { now, serve, settingsFor, silent, test as withEngine } from './serving.ts'

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
    const presence = await announceRoles(freshDatabase.url, ['worker'], 'postgres', silent)
    const web = await serve({ database: freshDatabase, engine }, { startedAt: plus(now, -86_400 * second) })
    onCleanup(async () => {
      await web.close()
      await presence.release()
    })
    return web
  })

const isWider = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'

/** Passes everything on, until it is told to hold it back: a daemon that was stopped keeps its connections and says nothing. */
async function openGate(url: string) {
  let open = true
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    upstream.on('data', (data) => open && client.write(data))
    client.on('data', (data) => open && upstream.write(data))
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const own = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${own}`,
    hold: () => {
      open = false
    },
    release: () => {
      open = true
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

describe.skipIf(browserPath === undefined)('the status page when things go wrong', () => {
  test('long errors have a row of their own: two lines, that open whole, and break no name of a job', async ({
    web,
    browser,
    freshDatabase: { pool },
  }) => {
    await storeSamples(pool, now)
    const error = `binance answered /api/v3/klines with HTTP 502: ${'the gateway has no answer, '.repeat(40)}${'x'.repeat(300)}`
    for (const [job, payload] of [
      ['ingest-candles', { source: 'binance', timeframe: '1m' }],
      [
        'backfill-candles',
        { source: 'binance', coinId: 'a-coin-with-a-very-long-name-of-fifty-characters-xx', timeframe: '1m' },
      ],
      ['sync-instruments', { source: 'binance' }],
    ] as const) {
      await storeRun(pool, { job, payload, startedAt: plus(now, second), end: failed(error) })
    }
    await using visited = await visit(browser)
    const { page, complaints } = visited
    for (const width of [320, 360, 768, 901, 1000, 1110, 1280, 1440, 1920]) {
      await page.setViewportSize({ width, height: 900 })
      await page.goto(web.url)
      await page.locator('#jobs .error').first().waitFor()
      await page.locator('#runs .error').first().waitFor()
      expect([width, await page.evaluate(isWider)]).toEqual([width, false])
      const heights = await page
        .locator('#runs tbody th')
        .evaluateAll((names) => names.map((name) => name.getBoundingClientRect().height))
      expect([width, Math.max(...heights) < 200]).toEqual([width, true])
      const shown = await page
        .locator('#runs .error')
        .first()
        .evaluate((one) => one.getBoundingClientRect().height)
      expect([width, shown < 50]).toEqual([width, true])
    }
    const first = page.locator('#runs .error').first()
    await page.locator('#runs').getByRole('button', { name: 'More' }).first().click()
    expect(await first.evaluate((one) => one.getBoundingClientRect().height)).toBeGreaterThan(50)
    expect(await first.innerText()).toBe(error)
    expect(await page.locator('#runs').getByRole('button', { name: 'Copy' }).count()).toBe(4)
    expect(complaints).toEqual([])
  })

  test('a daemon that says nothing for ten seconds is shown as of when it last did, and the page goes on when it does', async ({
    web,
    browser,
  }) => {
    await using gate = await openGate(web.url)
    await using visited = await visit(browser)
    const { page } = visited
    await page.clock.install()
    await page.goto(gate.url)
    await page.locator('#freshness .cell').first().waitFor()
    await page.clock.runFor(2_000)
    await page.getByText('live · 12:34:20 UTC').waitFor()
    gate.hold()
    await page.clock.runFor(12_000)
    await page.getByText('The daemon has not answered since 12:34:20 UTC; trying again.').first().waitFor()
    expect(await page.locator('body').getAttribute('class')).toContain('stale')
    expect(await page.locator('.live').innerText()).toContain('not up to date since 12:34:20 UTC')
    gate.release()
    await page.clock.runFor(8_000)
    await page.locator('body:not(.stale)').waitFor()
  })

  test('a hidden page keeps no connection, so that many of them can be open', async ({ web, browser }) => {
    await using visited = await visit(browser)
    const { page, requests } = visited
    const listening = () => requests.filter((url) => url.endsWith('/api/events')).length
    await page.goto(web.url)
    await expect.poll(listening).toBe(1)
    const hide = (hidden: boolean) =>
      page.evaluate(
        `Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))`,
      )
    const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/api/events'))
    await hide(true)
    await ended
    await hide(false)
    await expect.poll(listening).toBe(2)
  })

  test('a price that did not change neither rises nor falls', async ({
    web,
    browser,
    freshDatabase: { pool },
  }) => {
    await pool.query(`update market_data set change_24h = 0.001 where coin_id = 'bitcoin'`)
    await using visited = await visit(browser)
    await visited.page.goto(web.url)
    const row = visited.page.locator('#prices tr', { hasText: 'BTC' })
    await row.waitFor()
    expect(await row.innerText()).toContain('0.00 %')
    expect(await row.locator('.rises, .falls').count()).toBe(0)
  })

  test('a failed run stays on top, however many others came after it, and one that is retried has not failed', async ({
    web,
    browser,
    freshDatabase: { pool },
  }) => {
    await storeRun(pool, {
      job: 'enforce-retention',
      startedAt: plus(now, -3_600_000),
      end: failed('disk full'),
    })
    for (let index = 0; index < 40; index += 1) {
      const end = failed('coingecko rate-limits this address for 20 s', true)
      await storeRun(pool, { job: 'ingest-prices', queue: 'coingecko', startedAt: plus(now, index), end })
    }
    await using visited = await visit(browser)
    const { page } = visited
    await page.goto(web.url)
    const rows = page.locator('#runs tbody tr:not(.error-row)')
    await rows.first().waitFor()
    expect(await rows.first().innerText()).toMatch(/^enforce-retention[\s\S]*failed/)
    expect(await rows.nth(1).innerText()).toMatch(/^ingest-prices[\s\S]*will be retried/)
    expect(await page.locator('#runs .outcome.failed').count()).toBe(1)
    await page.locator('.headline.attention .message', { hasText: /^enforce-retention failed/ }).waitFor()
  })

  test('a partial run names its state, and has its counts', async ({
    web,
    browser,
    freshDatabase: { pool },
  }) => {
    const failures = [{ coinId: 'pepe', error: 'unknown market' }]
    await storeRun(pool, {
      job: 'ingest-candles',
      payload: { source: 'binance', timeframe: '5m' },
      startedAt: plus(now, second),
      end: {
        status: 'partial',
        outcome: { received: 198, new: 198, failures },
        error: '1 of 199 markets failed: pepe: unknown market',
        willRetry: false,
      },
    })
    await using visited = await visit(browser)
    await visited.page.goto(web.url)
    const row = visited.page.locator('#runs tr.partial')
    await row.waitFor()
    expect(await row.innerText()).toMatch(/198[\s\S]*partial/)
    await visited.page.locator('#runs .error', { hasText: 'pepe: unknown market' }).waitFor()
  })
})

describe.skipIf(browserPath === undefined)('the heatmap', () => {
  test('has a tip at the first hover, and keeps the chosen day and the keyboard’s place when it is drawn again', async ({
    web,
    browser,
  }) => {
    await using visited = await visit(browser)
    const { page } = visited
    await page.goto(web.url)
    const row = page.locator('.days').first()
    await row.scrollIntoViewIfNeeded()
    const box = await row.boundingBox()
    await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) * 0.995, (box?.y ?? 0) + 10)
    // Today is complete as far as it has come.
    await page.getByRole('tooltip').getByText('complete so far').waitFor()
    expect(await page.getByRole('tooltip').innerText()).toMatch(
      /2024-03-01, complete so far\n12 of 12 closed candles stored/,
    )
    await row.focus()
    for (const key of ['ArrowLeft', 'ArrowLeft', 'Enter']) await page.keyboard.press(key)
    await page.locator('.detail', { hasText: '2024-02-28' }).waitFor()
    await page.setViewportSize({ width: 1_000, height: 800 })
    await page.keyboard.press('ArrowLeft')
    await page.getByRole('tooltip').getByText('2024-02-27').waitFor()
    expect(await page.locator('.detail').innerText()).toContain('2024-02-28')
  })

  test('calls what a backfill will load queued, and not missing', async ({
    web,
    browser,
    engine,
    freshDatabase: { pool },
  }) => {
    await pool.query(
      `update candle_coverage set ranges = ranges - tsmultirange(tsrange('2024-02-27', '2024-02-29')) where coin_id = 'bitcoin' and timeframe = '1h'`,
    )
    const range = { from: '2024-02-28T00:00:00.000Z', to: '2024-02-29T00:00:00.000Z' }
    const job = await engine
      .queue('binance')
      .add(
        'backfill-candles',
        { coinId: 'bitcoin', timeframe: '1h', source: 'binance', symbol: 'BTCUSDT', ...range },
        { delay: 3_600_000 },
      )
    await using visited = await visit(browser)
    await visited.page.goto(web.url)
    await visited.page.getByRole('button', { name: /^bitcoin 1h, days: .* 1 queued, 1 missing/ }).waitFor()
    await job.remove()
  })

  test('fills while a backfill runs, and the activity shows how far that is', async ({
    web,
    browser,
    engine,
    freshDatabase: { pool },
  }) => {
    await pool.query(
      `update candle_coverage set ranges = ranges - tsmultirange(tsrange('2024-02-27', '2024-02-29')) where coin_id = 'bitcoin' and timeframe = '1h'`,
    )
    const range = { from: '2024-02-27T00:00:00.000Z', to: '2024-02-29T00:00:00.000Z' }
    const job = await engine
      .queue('binance')
      .add(
        'backfill-candles',
        { coinId: 'bitcoin', timeframe: '1h', source: 'binance', symbol: 'BTCUSDT', ...range },
        { delay: 3_600_000 },
      )
    await using visited = await visit(browser)
    const { page, complaints } = visited
    await page.goto(web.url)
    await page.getByRole('button', { name: /^bitcoin 1h, days: .* 2 queued/ }).waitFor()
    const activity = page.locator('#sources tbody tr')
    await activity.getByText('0 of 48 candles').waitFor()
    await activity.getByText('1 job left').waitFor()
    await storeSeries(pool, settings, { coinId: 'bitcoin', timeframe: '1h' }, now)
    await page.getByRole('button', { name: /^bitcoin 1h, days: 15 complete, 75 not kept/ }).waitFor()
    await job.remove()
    await activity.getByText('none').waitFor()
    expect(complaints).toEqual([])
  })

  test('of two hundred coins has its dates in sight, and nothing blank under the footer', async ({
    browser,
    engine,
    freshDatabase,
  }) => {
    await storeYear(freshDatabase.pool, 200, now)
    await using web = await serve({ database: freshDatabase, engine }, { refreshMs: 60_000 })
    await using visited = await visit(browser)
    const { page } = visited
    await page.goto(web.url)
    await page.locator('.days').first().waitFor()
    await page.locator('.heatmap').evaluate((one) => one.scrollTo(0, one.scrollHeight))
    await page.locator('[data-index="199"] .days').waitFor()
    const inside = await page.locator('.heatmap').evaluate((scroller) => {
      const axis = scroller.querySelector('.axis')?.getBoundingClientRect()
      const box = scroller.getBoundingClientRect()
      return axis !== undefined && axis.top >= box.top - 1 && axis.bottom <= box.bottom
    })
    expect(inside).toBe(true)
    const blank = await page.evaluate(
      'document.documentElement.scrollHeight - (document.querySelector("footer").getBoundingClientRect().bottom + scrollY)',
    )
    expect(blank).toBeLessThan(5)
  })
})

describe.skipIf(browserPath === undefined)('the chart', () => {
  test('lets the page scroll, shows a new range whole whichever answer is late, and says how long its points are', async ({
    web,
    browser,
    freshDatabase: { pool },
  }) => {
    const start = now - (now % (60 * second))
    const times = Array.from({ length: 2_000 }, (_, index) =>
      plus(now, start - now - (2_000 - index) * minute),
    )
    const candles = times
      .filter((_, index) => index % 100 !== 7)
      .map((at) => aCandle(at, { close: '61234.12345678', high: '61235', open: '61230', low: '61000' }))
    await load(pool, aBatch({ coinId: 'bitcoin', timeframe: '1m', source: 'binance' }, candles))
    await using visited = await visit(browser)
    const { page } = visited
    await page.goto(web.url)
    await page.getByRole('img', { name: /candles of bitcoin 1m/ }).waitFor()
    await page.locator('#chart').scrollIntoViewIfNeeded()
    const before = await page.evaluate('scrollY')
    const box = await page.locator('.chart').boundingBox()
    await page.mouse.move((box?.x ?? 0) + 100, (box?.y ?? 0) + 100)
    await page.mouse.wheel(0, 300)
    await expect.poll(() => page.evaluate('scrollY')).not.toBe(before)
    // Dragged to the right it loads what was before, and goes no further than the first candle.
    const dragged = await page.locator('.chart').boundingBox()
    await page.mouse.move((dragged?.x ?? 0) + 100, (dragged?.y ?? 0) + 100)
    await page.mouse.down()
    await page.mouse.move((dragged?.x ?? 0) + 500, (dragged?.y ?? 0) + 100, { steps: 5 })
    await page.mouse.up()
    await page
      .getByRole('img', { name: /^1980 candles of bitcoin 1m .* the last close 61,234\.12, / })
      .waitFor()
    await page.getByRole('group', { name: 'How much' }).getByRole('button', { name: '5 years' }).click()
    await page.locator('.chart-summary', { hasText: '5m of 4 of 5 candles' }).waitFor()
    await page.getByRole('img', { name: /20 missing between them/ }).waitFor()
  })
})
