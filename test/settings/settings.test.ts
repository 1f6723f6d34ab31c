import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, describe, expect } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { day, hour, minute, second } from '../../src/market/instant.ts'
import { configDir, readSettings, type Settings } from '../../src/settings.ts'

/** Writes a file of the operator's own and reads the settings with it laid over. */
type Overlay = Readonly<{ path: string; read(...lines: string[]): Promise<Settings> }>

const test = base
  .extend('dir', async ({ task: _ }, { onCleanup }) => {
    const dir = await mkdtemp(join(tmpdir(), 'beacon-settings-'))
    onCleanup(() => rm(dir, { recursive: true }))
    return dir
  })
  .extend('overlay', ({ dir }): Overlay => {
    const path = join(dir, 'mine.yaml')
    const read = async (...lines: string[]) => {
      await writeFile(path, lines.join('\n'))
      return readSettings({}, path)
    }
    return { path, read }
  })

describe('the shipped configuration', () => {
  test('is valid, and every coin has a market', () => {
    const settings = readSettings({})
    expect(settings.coins.length).toBeGreaterThan(0)
    for (const { markets } of settings.coins) expect(Object.keys(markets).length).toBeGreaterThan(0)
    expect(Object.isFrozen(settings)).toBe(true)
  })

  test('keeps 1d for ever and the others as long as the schema document says', () => {
    const { timeframes, prices } = readSettings({})
    expect(timeframes['1d']?.keep).toBeUndefined()
    expect(timeframes['1h']?.keep).toBe(90 * day)
    expect(timeframes['5m']?.keep).toBe(30 * day)
    expect(timeframes['1m']?.keep).toBe(7 * day)
    expect(prices.keep).toBe(30 * day)
  })

  test('asks for prices no more often than a free plan of 10,000 calls a month allows', () => {
    expect((31 * day) / readSettings({}).prices.every).toBeLessThan(10_000)
  })

  test('of the demo is valid too, and is laid over the defaults', () => {
    const demo = readSettings({}, join(configDir, 'demo.yaml'))
    const defaults = readSettings({})
    expect(demo.coins.length).toBeLessThan(defaults.coins.length)
    expect(demo.candles).toEqual({ ...defaults.candles, settleDelay: second, chunk: 1_000 })
    expect(demo.timeframes['1d']).toEqual({ ...defaults.timeframes['1d'], history: 30 * day })
  })
})

describe("the operator's own file", () => {
  test('replaces the keys that it has, one by one, and keeps the rest', async ({ overlay }) => {
    const settings = await overlay.read(
      'candles: { settleDelay: 5 s }',
      'timeframes:',
      '  1m: { keep: forever }',
      '  4h: { partition: year, ahead: 1, history: 2 days, keep: 2 days, then: drop }',
    )
    const defaults = readSettings({})
    expect(settings.candles).toEqual({ ...defaults.candles, settleDelay: 5 * second })
    expect(settings.timeframes['1m']).toEqual({ ...defaults.timeframes['1m'], keep: undefined })
    expect(settings.timeframes['4h']?.keep).toBe(2 * day)
    expect(settings.timeframes['1h']).toEqual(defaults.timeframes['1h'])
    expect(settings.http).toEqual(defaults.http)
  })

  test('is found through BEACON_CONFIG', async ({ dir }) => {
    const path = join(dir, 'mine.yaml')
    await writeFile(path, 'prices: { every: 10 minutes }')
    expect(readSettings({ BEACON_CONFIG: path }).prices.every).toBe(10 * minute)
  })

  test('may be empty', async ({ overlay }) => {
    expect(await overlay.read('# nothing differs')).toEqual(readSettings({}))
  })

  test('replaces a list as a whole', async ({ overlay }) => {
    expect((await overlay.read('views: []')).views).toEqual([])
  })
})

describe('the coins that are followed', () => {
  test('are all of the file, or those that are listed, in that order', async ({ overlay }) => {
    const { coins } = await overlay.read('track: [solana, bitcoin]')
    expect(coins.map(({ id }) => id)).toEqual(['solana', 'bitcoin'])
  })

  test('must stand in the coins file; the nearest one is named', async ({ overlay }) => {
    await expect(overlay.read('', 'track: [bitcion]')).rejects.toThrow(
      `${overlay.path}:2: no coin "bitcion" in the coins file. Did you mean "bitcoin"?`,
    )
  })

  test('may stand in a file beside the one that names it', async ({ overlay, dir }) => {
    await writeFile(join(dir, 'few.yaml'), '- { id: monero, symbol: XMR, name: Monero, markets: {} }')
    expect((await overlay.read('coinsFile: few.yaml')).coins.map(({ id }) => id)).toEqual(['monero'])
  })

  test('stand there once, with a usable id and on sources we know', async ({ overlay, dir }) => {
    const coins = join(dir, 'few.yaml')
    await writeFile(
      coins,
      [
        '- { id: monero, symbol: XMR, name: Monero, markets: {} }',
        '- { id: monero, symbol: XMR, name: Monero, markets: {} }',
        '- { id: "no,commas", symbol: NO, name: No, markets: {} }',
        '- { id: tron, symbol: TRX, name: TRON, markets: { binanse: TRXUSDT } }',
        '- { id: stellar, symbol: XLM, name: Stellar, markets: { binance-archive: XLMUSDT } }',
      ].join('\n'),
    )
    const reading = overlay.read('coinsFile: few.yaml')
    await expect(reading).rejects.toThrow(`${coins}:3: 2.id is not a coin id such as "bitcoin"`)
    await expect(reading).rejects.toThrow(
      `${coins}:4: there is no setting 3.markets.binanse. Did you mean "binance"?`,
    )
    await expect(reading).rejects.toThrow(`${coins}:5: 4.markets.binance-archive is no market`)
    await writeFile(coins, '- &coin { id: monero, symbol: XMR, name: Monero, markets: {} }\n- *coin')
    await expect(overlay.read('coinsFile: few.yaml')).rejects.toThrow(
      '1.id "monero" is listed twice: remove one',
    )
  })
})

describe('a mistake', () => {
  test('is reported with file, line, path and the nearest known key', async ({ overlay }) => {
    await expect(overlay.read('# mine', 'candles:', '  setleDelay: 5 s')).rejects.toThrow(
      `${overlay.path}:3: there is no setting candles.setleDelay. Did you mean "settleDelay"?`,
    )
  })

  test('is reported with every other one, each on its line', async ({ overlay }) => {
    const reading = overlay.read(
      'htpp: { timeout: 5 s }',
      'budgets: {}',
      'candles:',
      '  recheck: many',
      '  chunk: 5',
      'timeframes:',
      '  1m: { keep: 7 weeks }',
      '  2m: { partition: day, ahead: 3, history: 1 day, keep: 7 days, then: drop }',
      'prices: { every: soon }',
    )
    await expect(reading).rejects.toThrow(InvalidInput)
    for (const part of [
      `${overlay.path}:1: there is no setting htpp. Did you mean "http"?`,
      `${overlay.path}:2: there is no setting budgets. Did you mean "budget"?`,
      `${overlay.path}:4: candles.recheck is "many", not a number`,
      `${overlay.path}:5: candles.chunk is 5, and must be at least 100`,
      `${overlay.path}:7: timeframes.1m.keep is neither a duration such as "90 days" nor "forever"`,
      `${overlay.path}:8: there is no setting timeframes.2m. Did you mean "1m"?`,
      `${overlay.path}:9: prices.every "soon" is not a duration such as "90 days" or "2 s"`,
    ]) {
      await expect(reading).rejects.toThrow(part)
    }
  })

  test('of a missing value is reported where it should stand', async ({ overlay }) => {
    await expect(
      overlay.read('', 'timeframes:', '  4h: { partition: year, ahead: 1, history: 30 days }'),
    ).rejects.toThrow(`${overlay.path}:3: timeframes.4h.keep is neither a duration`)
  })

  test.for([
    ['track: bitcoin', 'track is neither "all" nor a list of coin ids'],
    ['candles: { settleDelay: 60 s }', 'candles.settleDelay is longer than 59 s'],
    ['prices: { every: 7 minutes }', 'prices.every does not divide an hour or a day evenly'],
    ['budget: { share: 1.5 }', 'budget.share is 1.5, and must be at most 1'],
    ['budget: { share: 0 }', 'budget.share is 0, and must be greater than 0'],
    ['views: [drop table]', 'views.0 is not the name of a view'],
    ['candles:', 'candles is empty: it must be a section with settings'],
    ['candles: [1]', 'candles is a list, not a section with settings'],
    ['quotes: []', 'quotes is empty'],
    ['quotes: [USDT, EUR, USDT]', 'quotes.2 "USDT" is listed twice: remove one'],
    ['track: [bitcoin, bitcoin]', 'track.1 "bitcoin" is listed twice: remove one'],
    ['queue: { concurrency: 2.5 }', 'queue.concurrency is 2.5, not a whole number'],
    [
      'timeframes: { 1h: { partition: week } }',
      'timeframes.1h.partition is "week", not one of day, month, year',
    ],
    ['coinsFile: 3', 'coinsFile is 3, not a text'],
    [
      'monitoring: { webhook: { url: "ftp://x", secret: hush } }',
      'monitoring.webhook.url is not a URL of the form http://host',
    ],
  ] as const)('such as "%s" stops the reading', async ([line, message], { overlay }) => {
    await expect(overlay.read(line)).rejects.toThrow(`${overlay.path}:1: ${message}`)
  })

  test('in the form of the file is reported with its line', async ({ overlay }) => {
    await expect(overlay.read('candles:', '  - a', ' b: [')).rejects.toThrow(
      new RegExp(`^${overlay.path}:\\d: not valid YAML, `),
    )
    await expect(overlay.read('- a list')).rejects.toThrow(`${overlay.path}:1: the file `)
  })

  test('of the environment is reported with those of the files, all in one message', async ({
    overlay,
    dir,
  }) => {
    await writeFile(join(dir, 'few.yaml'), '- { id: Monero, symbol: XMR, name: Monero, markets: {} }')
    await writeFile(
      overlay.path,
      ['coinsFile: few.yaml', 'http: { timeout: soon }', 'database: { minConnections: 60 }'].join('\n'),
    )
    const read = () =>
      readSettings({
        BEACON_CONFIG: overlay.path,
        BEACON_HTTP_PROT: '4000',
        BINANC_BASE_URL: 'http://127.0.0.1:9000',
        REDIS_URL: 'redis://cache/first',
      })
    expect(read).toThrow(InvalidInput)
    expect(read).toThrow(
      [
        '6 settings are wrong:',
        '  environment: REDIS_URL names a database that is not a number, as in redis://host:6379/0',
        '  environment: BEACON_HTTP_PROT is unknown. Did you mean "BEACON_HTTP_PORT"?',
        '  environment: BINANC_BASE_URL is not read: if BINANCE_BASE_URL is meant, rename it; otherwise unset it for beacon',
        `  ${overlay.path}:2: http.timeout "soon" is not a duration such as "90 days" or "2 s"`,
        `  ${overlay.path}:3: database.minConnections is 60, more than maxConnections (50)`,
        `  ${join(dir, 'few.yaml')}:1: 0.id is not a coin id such as "bitcoin" (CoinGecko's, in lower case, at most 50 characters)`,
      ].join('\n'),
    )
  })

  test('in the name of the file names it', ({ dir }) => {
    const missing = join(dir, 'nowhere.yaml')
    expect(() => readSettings({}, missing)).toThrow(InvalidInput)
    expect(() => readSettings({ BEACON_CONFIG: missing })).toThrow(missing)
  })
})

test('a setting of hours is hours', async ({ overlay }) => {
  expect((await overlay.read('prices: { every: 2 hours }')).prices.every).toBe(2 * hour)
})
