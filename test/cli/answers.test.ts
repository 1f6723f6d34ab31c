import { expect, test } from 'vitest'
import { queues } from '../../jobs/catalog.ts'
import { toInstant } from '../../src/market/instant.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { engines } from '../support/database.ts'
import type { EndedLine } from './support/line-runner.ts'
import { differences, openSite, type Site, servedLines, storedLines } from './support/site.ts'

/** Runs command lines that must end well. */
async function answers(site: Site, ...lines: readonly string[]): Promise<EndedLine[]> {
  const ends = await site.runLines(lines)
  expect(ends.filter(({ code }) => code !== 0)).toEqual([])
  return ends
}

const textOf = (answer: EndedLine | undefined): string => answer?.stdout ?? ''
const jsonOf = (answer: EndedLine | undefined) => JSON.parse(textOf(answer))

const [from, to] = ['2024-03-01T00:00Z', '2024-03-03T00:00Z'].map((iso) => toInstant(Date.parse(iso)))
const twoDays = { from: from ?? toInstant(0), to: to ?? toInstant(0) }
const backfillTwoDays = 'backfill bitcoin --timeframe 1h --from 2024-03-01 --to 2024-03-03 --force' as const

test.concurrent('what is stored is shown as text and as JSON', async () => {
  await using site = await openSite()
  const [, coverage, coverageJson, table, json, plot, none, prices, pricesJson] = await answers(
    site,
    backfillTwoDays,
    'coverage',
    'coverage bitcoin --json',
    'candles bitcoin --timeframe 1h --last 2',
    'candles bitcoin --timeframe 1h --last 48 --json',
    'candles bitcoin --timeframe 1h --plot',
    'candles ethereum --timeframe 1h',
    'prices',
    'prices --json',
  )
  expect(textOf(coverage)).toMatch(
    /^bitcoin +1h +binance +2024-03-01 00:00 +2024-03-03 00:00 +48 +0 +0 +0 +0$/m,
  )
  expect(jsonOf(coverageJson).series).toEqual([
    {
      coinId: 'bitcoin',
      timeframe: '1h',
      source: 'binance',
      rangeCount: 1,
      candles: 48,
      absent: 0,
      rejected: 0,
      provisional: 0,
      from: '2024-03-01T00:00:00.000Z',
      to: '2024-03-03T00:00:00.000Z',
    },
  ])
  const served = servedLines('BTCUSDT', '1h', twoDays)
  const shown = jsonOf(json).candles.map((candle: Record<string, string>) => Object.values(candle).join(' '))
  expect(shown).toEqual(served)
  expect(textOf(table).trimEnd().split('\n')).toHaveLength(3)
  expect(textOf(table)).toContain('2024-03-02 23:00')
  for (const value of served.at(-1)?.split(' ').slice(1) ?? [])
    expect(textOf(table)).toContain(value.replace(/\.?0+$/, ''))

  // Without colours, and of the width of a pipe, where it is no terminal.
  const drawn = textOf(plot).split('\n')
  expect(drawn).toHaveLength(24)
  expect(drawn.filter((line) => line.length > 120 || line.includes('\u001b'))).toEqual([])
  expect(drawn[0]).toMatch(/^bitcoin 1h: [\d.]+ at 2024-03-03 00:00 UTC, .* since 2024-03-01 00:00$/)
  expect(textOf(plot)).toMatch(/[█░]/)

  expect(textOf(none)).toMatch(/^No 1h candles of ethereum .* beacon backfill ethereum --timeframe 1h/)
  expect(textOf(prices)).toMatch(/^No prices are stored yet/)
  expect(jsonOf(pricesJson)).toEqual({ prices: [], unpriced: [] })
})

test.concurrent('gaps are reported with their cause, and repaired where they can be', async () => {
  await using site = await openSite()
  site.exchange.setFaults([
    { path: '/api/v3/klines', when: { nth: 1 }, fault: { name: 'high-below-low', row: 5 } },
    { path: '/api/v3/klines', when: { nth: 1 }, fault: { name: 'hole', row: 10, rows: 3 } },
  ])
  const gapsAround = 'gaps bitcoin --timeframe 1h --from 2024-02-29 --to 2024-03-03'
  const [partly, text, json] = await site.runLines([backfillTwoDays, gapsAround, `${gapsAround} --json`])
  expect(partly).toMatchObject({ code: 1 })
  const inspect =
    'beacon quarantine list --coin bitcoin --timeframe 1h --from 2024-03-01T05:00Z --to 2024-03-01T06:00Z'
  expect(partly?.stderr).toMatch(
    /error: 1 candle is missing: 2024-03-01 05:00 UTC was rejected \(open .*\)\./,
  )
  expect(partly?.stderr.trimEnd()).toMatch(new RegExp(`Inspect it with: ${inspect}$`))
  expect(text).toMatchObject({ code: 0, stderr: '' })
  expect(text?.stdout).toMatch(/2024-03-01 05:00 +2024-03-01 06:00 +1 +rejected, in quarantine/)
  expect(text?.stdout).toContain(`Inspect the rejected candles with:\n  ${inspect}\n`)
  expect(jsonOf(json).gaps).toMatchObject([
    { cause: 'not-fetched', candles: 24, from: '2024-02-29T00:00:00.000Z', to: '2024-03-01T00:00:00.000Z' },
    {
      cause: 'refused',
      candles: 1,
      from: '2024-03-01T05:00:00.000Z',
      to: '2024-03-01T06:00:00.000Z',
      inspect,
    },
  ])

  site.exchange.setFaults([])
  const [repaired, before, failed] = await site.runLines([
    `${gapsAround} --repair --json`,
    'gaps bitcoin --timeframe 1h --from 2017-08-16 --to 2017-08-18 --repair --json',
    // The exchange does not know its market.
    'gaps solana --timeframe 1h --from 2024-03-01 --to 2024-03-02 --repair',
  ])
  expect([repaired?.code, before?.code, failed?.code]).toEqual([0, 0, 1])
  expect(jsonOf(repaired)).toEqual({ gaps: [] })
  expect(
    differences(
      (await storedLines(site, 'bitcoin', '1h')).filter((line) => line >= '2024-03-01'),
      servedLines('BTCUSDT', '1h', twoDays),
    ),
  ).toEqual([])
  expect(jsonOf(before).gaps).toMatchObject([
    { cause: 'before-first', candles: 28, to: '2017-08-17T04:00:00.000Z' },
  ])
  expect(failed?.stderr).toMatch(
    /\nerror: 1 job failed \(solana 1h [^\n]*Invalid symbol[^\n]*beacon coins sync\n$/,
  )
  expect(failed?.stdout).toMatch(/solana +1h +2024-03-01 00:00 +2024-03-02 00:00 +24 +not fetched yet/)
})

test.concurrent('coins are added where their source lists them, and removed with their data kept', async () => {
  // CoinGecko limits what the synchronisation of all bundled coins would need.
  await using site = await openSite({ config: 'track: [bitcoin, ripple, pepe]\n' })
  const unreachable = { BINANCE_BASE_URL: `http://127.0.0.1:${await freePort(0)}` }
  const [
    ,
    ,
    added,
    again,
    unlisted,
    second,
    removed,
    list,
    listText,
    gone,
    unchecked,
    ,
    found,
    nowhere,
    synced,
  ] = await site.runLines([
    backfillTwoDays,
    // One market is one coin's.
    'coins remove pepe',
    'coins add frog --market binance:PEPEUSDT --json',
    'coins add frog --market binance:PEPEUSDT',
    'coins add frog --market binance:NOPEUSDT',
    'coins add bitcoin --market coingecko:bitcoin',
    'coins remove bitcoin --json',
    'coins list --json',
    'coins list',
    'coins remove bitcoin',
    { line: 'coins add wif --market binance:WIFUSDT', variables: unreachable },
    'coins remove frog',
    'coins add toad --symbol pepe --source binance --json',
    'coins add newt --symbol NEWT --source binance',
    { line: 'coins sync --json', variables: { BEACON_BUDGET: 'unlimited' } },
  ])
  expect(jsonOf(added).coins[0]).toEqual({
    coinId: 'frog',
    symbol: 'PEPE',
    name: 'frog',
    added: ['binance:PEPEUSDT'],
    since: [],
    candlesSetAside: 0,
  })
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing has changed') })
  expect(unlisted).toMatchObject({ code: 2, stdout: '' })
  expect(unlisted?.stderr).toMatch(/^error: binance does not list NOPEUSDT[^\n]+\n$/)
  expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining('coingecko:bitcoin') })
  expect(jsonOf(removed).coins).toMatchObject([{ coinId: 'bitcoin' }])
  const tracked = jsonOf(list).coins
  expect(tracked.find(({ id }: { id: string }) => id === 'frog')).toMatchObject({
    markets: ['binance:PEPEUSDT'],
  })
  expect(tracked.find(({ id }: { id: string }) => id === 'bitcoin')).toBeUndefined()
  expect(textOf(listText)).toMatch(/^frog +PEPE +frog +binance:PEPEUSDT$/m)
  expect(gone?.code).toBe(2)
  expect(await storedLines(site, 'bitcoin', '1h')).toHaveLength(48)

  expect(unchecked).toMatchObject({ code: 0, stdout: expect.stringContaining('binance:WIFUSDT') })
  expect(unchecked?.stderr).toMatch(/^Not checked whether WIFUSDT exists: [^\n]+\n$/)

  expect(jsonOf(found).coins[0]).toMatchObject({
    coinId: 'toad',
    symbol: 'PEPE',
    added: ['binance:PEPEUSDT'],
  })
  expect(nowhere).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('binance lists no market of NEWT'),
  })
  expect(jsonOf(synced).runs).toContainEqual({
    job: 'sync-instruments',
    payload: { source: 'binance' },
    outcome: expect.objectContaining({ ended: 0 }),
  })
})

test.concurrent('the schema, the partitions and the summary are looked after by hand', async () => {
  await using site = await openSite()
  const ends = await answers(
    site,
    backfillTwoDays,
    'migrate status',
    'migrate up',
    'partitions ensure --json',
    'partitions ensure',
    'partitions list',
    'partitions list --json',
    'views refresh',
    'views refresh daily_price_summary --json',
    'views list',
    'migrate down',
    'migrate status --json',
    'migrate down --to 0 --json',
    'migrate down',
    'migrate up --json',
  )
  const [, status, upToDate, ensured, ensuredAgain, list, listJson, refreshed, refreshedJson, views] = ends
  expect(textOf(status)).toMatch(/^0001_market_data +\d{4}-\d\d-\d\d \d\d:\d\d/m)
  expect(textOf(upToDate)).toBe('The schema is up to date.\n')
  expect(jsonOf(ensured).made.length).toBeGreaterThan(10)
  expect(textOf(ensuredAgain)).toBe('All of them are there.\n')
  expect(textOf(list)).toMatch(/^ohlcv_data_1h +ohlcv_data_1h_y2024m03 +2024-03-01 00:00 +2024-04-01 00:00 /m)
  expect(jsonOf(listJson).partitions).toHaveLength(jsonOf(ensured).made.length + 1)
  // The exchange knows six of the coins: of them it was asked for yesterday.
  expect(textOf(refreshed)).toMatch(
    /^daily_price_summary has 8 rows\. Of yesterday there is missing: aave \(24 h\), algorand \(24 h\), aptos \(24 h\), 21 more coins\.\n$/,
  )
  expect(jsonOf(refreshedJson)).toMatchObject({ refreshed: [{ view: 'daily_price_summary', rows: 8 }] })
  expect(textOf(views)).toMatch(/^daily_price_summary .* 8 .*aave \(24 h\), algorand/m)

  const [one, statusJson, all, nothing, upAgain] = ends.slice(-5)
  const names = jsonOf(upAgain).applied
  expect(textOf(one)).toBe(`Undid ${names.at(-1)}.\n`)
  expect(jsonOf(statusJson).migrations).toMatchObject(
    names.map((name: string, index: number) => ({ name, applied: index < names.length - 1 })),
  )
  expect(jsonOf(statusJson).migrations[0].appliedAt).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
  expect(jsonOf(all).undone).toEqual(names.slice(0, -1).toReversed())
  expect(textOf(nothing)).toBe('There is nothing to undo.\n')
})

test.concurrent.each(engines)('queues are counted, paused and resumed on %s', async (engine) => {
  await using site = await openSite({ engine })
  const detached = `${backfillTwoDays} --detach`
  const [paused, refused, pausedJson, pausedText, resumed, queued, counted, status, statusJson, done] =
    await site.runLines([
      'queues pause binance',
      detached,
      'queues --json',
      'queues',
      'queues resume binance --json',
      `${detached} --json`,
      'queues --json',
      'status',
      'status --json',
      `${backfillTwoDays} --json`,
    ])
  expect(paused).toEqual({ code: 0, stdout: 'The queue binance is paused.\n', stderr: '' })
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused?.stderr).toMatch(/error: the queue binance is paused; .*: beacon queues resume binance\n$/)
  const nothing = { waiting: 0, prioritized: 0, active: 0, delayed: 0, failed: 0, completed: 0 }
  expect(jsonOf(pausedJson).queues).toEqual(
    queues.map((queue) => ({ queue, ...nothing, paused: queue === 'binance' })),
  )
  expect(textOf(pausedText)).toMatch(/^binance \(paused\) +0 +0 +0 +0 +0 +0$/m)
  expect(jsonOf(resumed)).toEqual({ queue: 'binance', paused: false })
  expect(jsonOf(queued).jobs).toHaveLength(1)
  expect(jsonOf(counted).queues[0]).toMatchObject({ queue: 'binance', prioritized: 1, paused: false })

  expect(status?.code).toBe(0)
  expect(textOf(status)).toMatch(/^No process works on the queues: start one with the worker role\.$/m)
  expect(textOf(status)).toContain(`Workers: none; start some with npm start. Queue: ${engine}.`)
  expect(jsonOf(statusJson)).toMatchObject({
    process: { queueEngine: engine, hasWorkers: false },
    queues: queues.map((queue) => ({ queue, prioritized: queue === 'binance' ? 1 : 0 })),
  })

  // What was left for the daemon is done by the next who works on the queue.
  expect(jsonOf(done).result).toMatchObject({ new: 48, remaining: 0 })
  expect(await storedLines(site, 'bitcoin', '1h')).toHaveLength(48)
})
