/**
 * What the status page of 1,000 coins and five timeframes costs a real browser: the time to its first content and to the last
 * of its parts with nothing cached, the heatmap of a year, its longest task, its elements, and the memory of an hour of
 * updates. The ratios are to its limits: below 1 is within.
 */
import type { Browser, CDPSession, Page } from 'playwright-core'
import { jobs, queues } from '../../jobs/catalog.ts'
import { table } from '../../src/cli/terminal/table.ts'
import { day, minute, plus, toIso } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { openEngine } from '../../src/queue/engine.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { readSettings } from '../../src/settings.ts'
import { readReadiness } from '../../src/status/readiness/readiness.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { partitionedTables, partitionsAhead, partitionsOf } from '../../src/store/partitions.ts'
import { openWeb } from '../../src/web/server.ts'
import { openBrowser, visit } from '../web/browser.ts'
import { storeSamples, storeYear, storeYearPrices } from '../web/sample.ts'
import { type Findings, median, rounds, scale } from './measure.ts'
import { onStage, type Stage } from './stage.ts'

const coins = 1_000
const bars = ['1m', '5m', '15m', '1h', '1d'] as const
const now = systemClock.now()

type Round = Readonly<{
  firstSeconds: number
  allSeconds: number
  yearSeconds: number
  longestTaskMs: number
  elements: number
  bytes: number
}>

/** A page gets an update every three seconds. */
const updatesOfHour = Math.ceil(1_200 * scale)

export async function benchPage(): Promise<Findings> {
  const { measured, memory } = await onStage(async (stage) => {
    await fill(stage)
    const found = await onPage(stage, 3_000, async (browser, url) => {
      // The first of all also starts what the server only starts once.
      await measure(browser, url)
      const all: Round[] = []
      for (let round = 0; round < rounds; round += 1) all.push(await measure(browser, url))
      return all
    })
    return { measured: found, memory: await onPage(stage, 1, watchForAnHour) }
  })
  const of = (name: keyof Round) => median(measured.map((one) => one[name]))
  const rows = [
    { what: 'first content: its headline and series, seconds', value: of('firstSeconds'), limit: 1 },
    { what: 'every part of it, seconds', value: of('allSeconds'), limit: 2 },
    { what: 'then the heatmap of a year, seconds', value: of('yearSeconds'), limit: 1 },
    { what: 'its longest task, ms', value: of('longestTaskMs'), limit: 50 },
    { what: 'elements', value: of('elements'), limit: 1_500 },
    {
      what: `heap after ${updatesOfHour} updates, to that after the first`,
      value: memory.after / memory.before,
      limit: 1.2,
    },
  ]
  return {
    text: [
      table(rows, [
        {
          title: `the status page, ${coins} coins of ${bars.length} timeframes, a year of coverage`,
          of: ({ what }) => what,
        },
        { title: 'measured', of: ({ value }) => value.toFixed(2), align: 'right' },
        { title: 'limit', of: ({ limit }) => String(limit), align: 'right' },
        { title: 'ratio', of: ({ value, limit }) => (value / limit).toFixed(2), align: 'right' },
      ]),
      `${Math.round(of('bytes') / 1_000)} kB came over the wire for all of it (medians of ${rounds})`,
    ].join('\n\n'),
    json: { rounds, coins, measured, memory },
  }
}

/** Coverage and price of each coin, and the last day of the coin whose candles are drawn. */
async function fill({ pool, deps: { settings } }: Stage): Promise<void> {
  await storeYear(pool, coins, now, bars)
  await storeSamples(pool, now)
  const yesterday = { from: plus(floorTo('1m', now), -day), to: now }
  for (const partitions of partitionedTables(settings)) {
    const plans = [...partitionsOf(partitions, yesterday), ...partitionsAhead(partitions, now, 2)]
    await ensurePartitions(pool, partitions, plans, settings.database.lockTimeout)
  }
  await pool.query(
    `insert into ohlcv_data (coin_id, timeframe, timestamp, open, high, low, close, volume)
     select 'coin-1', '1m', $1::timestamp + n * interval '1 minute', 10 + sin(n), 12 + sin(n), 9 + sin(n), 11 + sin(n), 5
     from generate_series(0, ${day / minute - 1}) as n`,
    [toIso(yesterday.from)],
  )
  await storeYearPrices(pool, settings, now)
  await pool.query('analyze')
}

async function onPage<T>(
  { pool, url }: Stage,
  refreshMs: number,
  work: (browser: Browser, url: string) => Promise<T>,
): Promise<T> {
  const releases = new Releases()
  const log = openLog({ level: 'error', pretty: false })
  try {
    const engine = await openEngine({ databaseUrl: url, log, clock: systemClock })
    releases.push(() => engine.close())
    const usual = readSettings({ BEACON_HTTP_PORT: '0' })
    const { '5m': policy } = usual.timeframes
    const settings = { ...usual, timeframes: { ...usual.timeframes, ...(policy ? { '15m': policy } : {}) } }
    const deps = { settings, pool, engine, jobs, queues, clock: systemClock, log }
    const web = await openWeb({
      ...deps,
      refreshMs,
      pauses: async () => [],
      readiness: () => readReadiness({ ...deps, upSinceMs: performance.now() }),
    })
    releases.push(() => web.close())
    const browser = await openBrowser()
    releases.push(() => browser.close())
    return await work(browser, web.url)
  } finally {
    await releases.release()
  }
}

/** In a context of its own: nothing is there already. The page's own clock begins with the request for it. */
async function measure(browser: Browser, url: string): Promise<Round> {
  await using visited = await visit(browser)
  const { page } = visited
  await page.addInitScript(`
    window.longestTaskMs = 0
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longestTaskMs = Math.max(window.longestTaskMs, duration)
    }).observe({ type: 'longtask', buffered: true })`)
  const received = await countBytes(page)
  await page.goto(url, { waitUntil: 'commit' })
  const firstMs = await untilDrawn(page, [['#freshness .cell', bars.length]])
  const allMs = await untilDrawn(page, [
    ['.days', 1],
    ['.chart[aria-label*="candles of coin-1 1m"]', 1],
    ['#sources tbody tr', 1],
    ['#jobs tbody tr', jobs.length],
    ['#storage tbody tr', 1],
    ['#retention tbody tr', 1],
    ['#database .sparkline polyline', 5],
  ])
  const elements = await page.locator('*').count()
  const askedMs = Number(await page.evaluate(`performance.now()`))
  await page.evaluate(`document.querySelector('[data-days="365"]').click()`)
  const yearMs = await untilDrawn(page, [['.days[aria-label^="coin-1 1h, days: 365 complete"]', 1]])
  await updates(await page.context().newCDPSession(page), 2)
  return {
    firstSeconds: firstMs / 1_000,
    allSeconds: allMs / 1_000,
    yearSeconds: (yearMs - askedMs) / 1_000,
    // A task shorter than 50 ms is not reported at all.
    longestTaskMs: Number(await page.evaluate('window.longestTaskMs')),
    elements,
    bytes: received(),
  }
}

/** The bytes of the page's heap after a few updates, and after those of an hour, which come as fast as they can. */
async function watchForAnHour(browser: Browser, url: string) {
  await using visited = await visit(browser)
  const { page } = visited
  const session = await page.context().newCDPSession(page)
  const heapBytes = async () => {
    await session.send('HeapProfiler.collectGarbage')
    return (await session.send('Runtime.getHeapUsage')).usedSize
  }
  await page.goto(url)
  await updates(session, 10)
  const before = await heapBytes()
  await updates(session, updatesOfHour)
  return { before, after: await heapBytes(), updates: updatesOfHour }
}

/** Resolves when the page has got so many more updates. */
async function updates(session: CDPSession, count: number): Promise<void> {
  await session.send('Network.enable')
  let left = count
  await new Promise<void>((resolve) => {
    session.on('Network.eventSourceMessageReceived', () => {
      left -= 1
      if (left === 0) resolve()
    })
  })
}

/** When the page has come to hold so many of each, by its own clock: looked for once a frame, and cheaply. */
async function untilDrawn(page: Page, wanted: readonly (readonly [string, number])[]): Promise<number> {
  const there = wanted.map(
    ([selector, count]) => `document.querySelectorAll(${JSON.stringify(selector)}).length >= ${count}`,
  )
  return Number(
    await page.evaluate(`new Promise((resolve) => {
      const look = () => (${there.join(' && ')} ? resolve(performance.now()) : requestAnimationFrame(look))
      look()
    })`),
  )
}

/** Counts what comes over the wire, compressed as it is. */
async function countBytes(page: Page): Promise<() => number> {
  const network = await page.context().newCDPSession(page)
  let received = 0
  network.on('Network.dataReceived', ({ encodedDataLength }) => {
    received += encodedDataLength
  })
  await network.send('Network.enable')
  return () => received
}
