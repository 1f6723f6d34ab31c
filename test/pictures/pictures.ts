/**
 * `npm run pictures`: takes the pictures of the README anew. The daemon itself fills a data folder from the replay
 * exchange, as the demo does, and Chromium looks at its pages. `npm run pictures -- FOLDER` keeps that folder, and goes on
 * with it the next time; `PICTURES` says where the pictures go (docs).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { startDaemon } from '../../src/daemon.ts'
import { packageDir } from '../../src/package-dir.ts'
import { openReplayExchange } from '../../src/replay/exchange.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { openDatabase } from '../../src/runtime/database.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { baseUrlVariables } from '../../src/settings/base-url-variable.ts'
import { roles } from '../../src/settings/roles.ts'
import { readSettings } from '../../src/settings.ts'
import type { Status } from '../../src/status/status.ts'
import { openBrowser, visit } from '../web/browser.ts'
import { boundless, faults } from './injected-faults.ts'
import { storePast } from './past.ts'

const configuration = fileURLToPath(new URL('pictures.yaml', import.meta.url))
const program = fileURLToPath(new URL('dist/beacon.js', packageDir))
const target = resolve(process.env.PICTURES ?? fileURLToPath(new URL('docs', packageDir)))

const releases = new Releases()
const stop = new AbortController()
process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())

async function dataFolder(): Promise<string> {
  const [kept] = process.argv.slice(2)
  if (kept !== undefined) return resolve(kept)
  const folder = await mkdtemp(join(tmpdir(), 'beacon-pictures-'))
  releases.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A daemon that has caught up with the replay exchange; returns where its page is. */
async function startFilled(folder: string): Promise<string> {
  const exchange = await openReplayExchange({ clock: systemClock, limits: boundless, faults: faults })
  releases.push(() => exchange.close())
  const variables = { BEACON_DATA_DIR: folder, BEACON_HTTP_PORT: '0', ...baseUrlVariables(exchange.urls) }
  const settings = readSettings(variables, configuration)
  const log = openLog({ level: 'warn', pretty: true })
  const deps = { settings, log, clock: systemClock, releases, signal: stop.signal }
  const { url } = await startDaemon({ ...deps, roles })
  if (url === undefined) throw new Error('the daemon serves no page')
  const { pool } = await openDatabase(deps, 'when-new')
  await caughtUp(url)
  await archiveSpring(variables)
  await storePast({ pool, clock: systemClock })
  await caughtUp(url)
  return url
}

/** Brings in what is older than it is kept, and lets it go into files: as an operator would. */
async function archiveSpring(variables: NodeJS.ProcessEnv): Promise<void> {
  const coins = ['bitcoin', 'ethereum', 'dogecoin']
  await beacon(variables, [
    'backfill',
    ...coins,
    '--timeframe',
    '1h',
    '--from',
    '-190d',
    '--to',
    '-92d',
    '--force',
  ])
  await beacon(variables, ['views', 'refresh'])
  await beacon(variables, ['retention', '--yes'])
}

async function beacon(variables: NodeJS.ProcessEnv, words: readonly string[]): Promise<void> {
  const environment = { ...process.env, ...variables, BEACON_CONFIG: configuration }
  const child = spawn(process.execPath, [program, ...words], { env: environment, stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`beacon ${words[0]} has failed`)
}

const timeoutMs = 5 * 60_000

/** Waits until nothing is owed any more and every part of the page has something to show. */
async function caughtUp(url: string): Promise<void> {
  const until = performance.now() + timeoutMs
  for (;;) {
    const status = await statusOf(url)
    const isFull =
      status.overall.state === 'ok' &&
      status.prices.length > 0 &&
      status.queues?.every(({ active }) => active === 0)
    if (isFull) return
    if (stop.signal.aborted || performance.now() > until)
      throw new Error(`the daemon has not caught up: ${status.overall.message}`)
    await new Promise((wake) => setTimeout(wake, 1_000))
  }
}

async function statusOf(url: string): Promise<Status> {
  const answer = await fetch(`${url}/api/status`)
  return (await answer.json()) as Status
}

async function takeAll(browser: Browser, url: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await using visited = await visit(browser, { colorScheme, viewport: { width: 1280, height: 900 } })
    const { page } = visited
    await page.goto(url)
    await resolved(page)
    await take(page, `status-page-${colorScheme}`, { from: '.top', to: '#sources' })
    await take(page, `maintenance-${colorScheme}`, { from: '#jobs', to: '#database' })
    await openSeries(page, url)
    await take(page, `series-${colorScheme}`, { from: '.top', to: '#source' })
  }
}

/** A month of hours, and every part with what it shows: the pace of the budget is known after two looks. */
async function resolved(page: Page): Promise<void> {
  await page.locator('.days').first().waitFor()
  await page
    .getByRole('group', { name: 'Timeframe of the chart' })
    .getByRole('button', { name: '1h' })
    .click()
  await page.getByRole('group', { name: 'How much' }).getByRole('button', { name: '1 month' }).click()
  await page.getByRole('img', { name: /^\d+ candles of \w+ 1h/ }).waitFor()
  await page.locator('#sources .budget').nth(1).waitFor()
  await page.locator('#retention tbody tr').first().waitFor()
  await page.locator('#database .sparkline polyline').first().waitFor()
  await page.mouse.move(0, 0)
  await page.evaluate('scrollTo(0, 0)')
}

/** A series with a range without trades. */
async function openSeries(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/series/pepe/1h`)
  const chart = page.locator('#chart .chart')
  await page.getByRole('img', { name: /^\d+ candles of pepe 1h/ }).waitFor()
  const before = await chart.getAttribute('aria-label')
  await page.getByRole('group', { name: 'How much' }).getByRole('button', { name: '1 year' }).click()
  await page.locator(`#chart .chart:not([aria-label="${before}"])`).waitFor()
  await page.locator('#months tbody tr').first().waitFor()
  await page.locator('#runs tbody tr').first().waitFor()
  await page.locator('#source .budget').nth(1).waitFor()
}

/** From the top of one element to the end of another. */
async function take(page: Page, name: string, { from, to }: Readonly<{ from: string; to: string }>) {
  const [first, last] = [await page.locator(from).boundingBox(), await page.locator(to).boundingBox()]
  if (!first || !last) throw new Error(`${from} or ${to} is not on the page`)
  const margin = 12
  const top = Math.max(0, first.y - margin)
  await page.screenshot({
    path: join(target, `${name}.png`),
    fullPage: true,
    clip: { x: 0, y: top, width: 1280, height: last.y + last.height + margin - top },
  })
}

try {
  const url = await startFilled(await dataFolder())
  const browser = await openBrowser()
  releases.push(() => browser.close())
  await takeAll(browser, url)
} finally {
  await releases.release()
}
