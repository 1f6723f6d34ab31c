import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { syncCoins } from '../../jobs/sync-coins.ts'
import { Unavailable } from '../../src/fault.ts'
import { day, minute } from '../../src/market/instant.ts'
import type { SourceId } from '../../src/settings/source-ids.ts'
import { readSettings } from '../../src/settings.ts'
import { follow, keptReport, startWorking, type Working } from '../ingest/working.ts'
import { test } from '../support/database.ts'

const sync = ({ context }: Working, report = keptReport()) => syncCoins.run(context, {}, report)

const coin = async (pool: Pool, id: string) =>
  (await pool.query('select * from coins where id = $1', [id])).rows[0]

const asked = ({ exchange }: Working) => exchange.requests.map(({ path }) => path.split(/[/?]/).at(4))

const coingecko: SourceId = 'coingecko'

describe('the details of a followed coin', () => {
  test('come from CoinGecko, and what it does not know stays NULL', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    for (const symbol of ['BTCUSDT', 'SHIBUSDT']) await follow(pool, symbol)
    const report = keptReport()
    expect(await sync(working, report)).toEqual({ updated: 2, unknown: [], unread: [] })
    expect(await coin(pool, 'bitcoin')).toMatchObject({
      symbol: 'BTC',
      name: 'Bitcoin',
      image_url: 'https://coin-images.coingecko.com/coins/images/1/large/bitcoin.png?1696501400',
      description: 'Bitcoin as it is played from a recording.\r\n\r\nNot the real one.',
      website: 'https://bitcoin.example/',
      whitepaper: 'https://bitcoin.example/bitcoin.pdf',
      blockchain_type: null,
    })
    expect(await coin(pool, 'shiba-inu')).toMatchObject({ whitepaper: null, blockchain_type: 'ethereum' })
    expect(report.steps).toEqual([
      [1, 2],
      [2, 2],
    ])
  })

  test('are asked for once a week, the coin that has waited longest first', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    await sync(working)
    working.exchange.clock.move(day)
    await follow(pool, 'ETHUSDT', working.exchange.clock.now())
    expect(await sync(working)).toMatchObject({ updated: 1 })
    working.exchange.clock.move(7 * day + minute)
    await sync(working)
    expect(asked(working)).toEqual(['bitcoin', 'ethereum', 'bitcoin', 'ethereum'])
  })

  test('leave an image that is there, and bring one where there is none', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool)
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
    await pool.query(`update coins set image_url = 'https://images.example/1.png' where id = 'bitcoin'`)
    await sync(working)
    expect(await coin(pool, 'bitcoin')).toHaveProperty('image_url', 'https://images.example/1.png')
    expect((await coin(pool, 'ethereum')).image_url).toMatch(/^https:.*ethereum\.png/)
  })

  test('that do not fit are left out whole', async ({ freshDatabase: { pool } }) => {
    const long = `https://x.example/${'p'.repeat(300)}`
    const links = { homepage: [long, 'https://short.example'], whitepaper: long }
    await using working = await startWorking(pool)
    await follow(pool, 'BTCUSDT')
    const { http } = working.context
    const body = {
      id: 'bitcoin',
      symbol: 'LONG'.repeat(30),
      name: 'n\u0000'.repeat(200),
      asset_platform_id: 'c'.repeat(51),
      description: { en: `${'d'.repeat(50_000)}\u0000` },
      links,
      image: { large: 'missing_large.png' },
    }
    const context = {
      ...working.context,
      http: {
        ...http,
        get: async (...request: Parameters<typeof http.get>) => ({
          ...(await http.get(...request)),
          text: JSON.stringify(body),
        }),
      },
    }
    expect(await syncCoins.run(context, {}, keptReport())).toMatchObject({ updated: 1 })
    const stored = await coin(pool, 'bitcoin')
    expect(stored).toMatchObject({
      website: 'https://short.example',
      whitepaper: null,
      blockchain_type: null,
      image_url: null,
    })
    expect(stored.description).toHaveLength(50_000)
  })

  test('that its source does not know, or cannot tell, hold up no other coin', async ({
    freshDatabase: { pool },
  }) => {
    await using working = await startWorking(pool, {
      faults: [{ source: coingecko, when: { nth: 1 }, fault: { name: 'cut', atByte: 100 } }],
    })
    for (const symbol of ['BTCUSDT', 'ETHUSDT', 'NOPEUSDT']) await follow(pool, symbol)
    expect(await sync(working)).toEqual({ updated: 1, unknown: ['nopeusdt'], unread: ['bitcoin'] })
    expect(working.log.events.map(({ event }) => event)).toEqual([
      'coins.details-missing',
      'coins.details-missing',
    ])
  })

  test('stay as far as they came when the source fails', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool, {
      faults: [{ source: coingecko, when: { nth: 2 }, fault: { name: 'server-error', status: 503 } }],
    })
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) await follow(pool, symbol)
    await expect(sync(working)).rejects.toThrow(Unavailable)
    expect(await coin(pool, 'bitcoin')).toHaveProperty('website', 'https://bitcoin.example/')
    expect(await sync(working)).toMatchObject({ updated: 1 })
    expect(asked(working)).toEqual(['bitcoin', 'ethereum', 'ethereum'])
  })

  test('are not asked for where none is missing', async ({ freshDatabase: { pool } }) => {
    await using working = await startWorking(pool)
    expect(await sync(working)).toEqual({ updated: 0, unknown: [], unread: [] })
    expect(working.exchange.requests).toEqual([])
  })
})

test('the schedule is daily, and its payload is one the job takes', () => {
  const schedules = syncCoins.schedules?.(readSettings({}), []) ?? []
  expect(schedules.map(({ pattern }) => pattern)).toEqual(['50 20 1 * * *'])
  for (const { payload } of schedules) expect(syncCoins.payload.parse(payload)).toEqual(payload)
})
