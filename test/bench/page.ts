/**
 * How long the status page takes in a real browser with a hundred coins and a year of coverage: from the request to the last
 * of its parts, with nothing kept from before, and the heatmap of the whole year after that.
 */
import type { Browser, Page } from 'playwright-core'
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
import { ensurePartitions } from '../../src/store/create-partitions.ts'
import { partitionedTables, partitionsAhead, partitionsOf } from '../../src/store/partitions.ts'
import { openWeb } from '../../src/web/server.ts'
import { openBrowser, visit } from '../web/browser.ts'
import { storeSamples, storeYear } from '../web/sample.ts'
import { type Findings, median, rounds } from './measure.ts'
import { onStage, type Stage } from './stage.ts'

const coins = 100
const now = systemClock.now()

type Round = Readonly<{ firstSeconds: number; allSeconds: number; yearSeconds: number; bytes: number }>

export async function benchPage(): Promise<Findings> {
  const measured = await onStage(async (stage) => {
    await fill(stage)
    return onPage(stage, async (browser, url) => {
      // The first of all also starts what the server only starts once.
      await measure(browser, url)
      const found: Round[] = []
      for (let round = 0; round < rounds; round += 1) found.push(await measure(browser, url))
      return found
    })
  })
  const rows = [
    { what: 'its first sentence and every series', of: 'firstSeconds', wanted: '' },
    { what: 'every part of it', of: 'allSeconds', wanted: '1 s' },
    { what: 'then the heatmap of a year', of: 'yearSeconds', wanted: '' },
  ] as const
  const kilobytes = Math.round(median(measured.map(({ bytes }) => bytes)) / 1_000)
  return {
    text: [
      table(rows, [
        { title: `the status page, ${coins} coins, a year of coverage`, of: ({ what }) => what },
        {
          title: 'seconds',
          of: ({ of }) => median(measured.map((one) => one[of])).toFixed(2),
          align: 'right',
        },
        { title: 'wanted below', of: ({ wanted }) => wanted },
      ]),
      `${kilobytes} kB came over the wire for all of it (medians of ${rounds})`,
    ].join('\n\n'),
    json: { rounds, coins, measured },
  }
}

/** A year of each coin in the ledger, and the last day of the coin whose candles are drawn. */
async function fill({ pool, deps: { settings } }: Stage): Promise<void> {
  await storeYear(pool, coins, now)
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
  await pool.query('analyze')
}

async function onPage<T>(
  { pool, url }: Stage,
  work: (browser: Browser, url: string) => Promise<T>,
): Promise<T> {
  const releases = new Releases()
  const log = openLog({ level: 'error', pretty: false })
  try {
    const engine = await openEngine({ databaseUrl: url, log, clock: systemClock })
    releases.push(() => engine.close())
    const settings = readSettings({ BEACON_HTTP_PORT: '0' })
    const deps = { settings, pool, engine, jobs, queues, clock: systemClock, log }
    const web = await openWeb({
      ...deps,
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
  const received = await countBytes(page)
  await page.goto(url, { waitUntil: 'commit' })
  const firstMs = await untilDrawn(page, [['#freshness .cell', 4 * coins]])
  const allMs = await untilDrawn(page, [
    ['.days', coins],
    ['.chart[aria-label*="candles of coin-1 1m"]', 1],
    ['#sources tbody tr', 1],
    ['#jobs tbody tr', jobs.length],
    ['#storage tbody tr', 1],
    ['#retention tbody tr', 1],
    ['#database .sparkline polyline', 5],
  ])
  const askedMs = Number(await page.evaluate(`performance.now()`))
  await page.evaluate(`document.querySelector('[data-days="365"]').click()`)
  const yearMs = await untilDrawn(page, [['.days[aria-label^="coin-1 1h, days: 365 whole"]', 1]])
  return {
    firstSeconds: firstMs / 1_000,
    allSeconds: allMs / 1_000,
    yearSeconds: (yearMs - askedMs) / 1_000,
    bytes: received(),
  }
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
