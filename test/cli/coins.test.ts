import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { EndedLine } from './support/line-runner.ts'
import { openSite } from './support/site.ts'

const jsonOf = (answer: EndedLine | undefined) => JSON.parse(answer?.stdout ?? '')
const oneOf = (answer: EndedLine | undefined) => jsonOf(answer).coins[0]

const refused = (message: string) => ({ code: 2, stdout: '', stderr: `error: ${message}\n` })

test.concurrent('a ticker leads to its own coin, by the name that everyone else has for it', async () => {
  await using site = await openSite({ config: 'track: [ripple]\n' })
  const [whiteBit, wrapped, taken, spelt, disputed, named, mismatch] = await site.runLines([
    'coins add whitebit --symbol WBT --source bitfinex --json',
    'coins add wrapped-bitcoin --symbol wbtc --source bitfinex --json',
    'coins add white --market bitfinex:tWBTUSD',
    'coins add white --market bitfinex:twbt:usd',
    'coins add gitcoin --symbol GTC --source gateio',
    'coins add game --market gateio:GTC_USDT --json',
    'coins add doge --symbol SHIB --market binance:DOGEUSDT',
  ])
  expect(oneOf(whiteBit)).toMatchObject({ symbol: 'WBT', added: ['bitfinex:tWHBT:UST'] })
  expect(oneOf(wrapped)).toMatchObject({ symbol: 'WBTC', added: ['bitfinex:tWBTUSD'] })
  const isTaken = refused(
    'bitfinex:tWBTUSD is tracked as wrapped-bitcoin already, and one market is one coin: to track it as white, first stop wrapped-bitcoin with: beacon coins remove wrapped-bitcoin',
  )
  expect([taken, spelt]).toEqual([isTaken, isTaken])
  expect(disputed).toEqual(
    refused(
      'GTC is not the same coin on every exchange, and gateio may mean Game.com: check on the exchange, and if it is gitcoin, track it with: beacon coins add gitcoin --market gateio:GTC_USDT',
    ),
  )
  expect(oneOf(named)).toMatchObject({ symbol: 'GTC', added: ['gateio:GTC_USDT'] })
  expect(named?.stderr).toMatch(/^gateio may mean Game\.com by GTC: [^\n]+\n$/)
  expect(mismatch).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/is a market of DOGE, .* SHIB: stop/),
  })
})

test.concurrent('the largest coins are tracked together, and a coin that is not found holds up no other', async () => {
  await using site = await openSite({ config: 'track: [ripple]\n' })
  const [quoted, one, some, top, several, none, both] = await site.runLines([
    'coins add shiba-inu --symbol SHIB --quote EUR',
    'coins add shiba-inu --symbol SHIB --quote eur,usdt --json',
    'coins add --top 2 --json',
    // All that the exchange has: which are the largest changes with the time of day.
    'coins add --top 6 --json',
    'coins add ripple nothing ethereum --json',
    'coins add',
    'coins add bitcoin --top 3',
  ])
  expect(jsonOf(some).coins).toHaveLength(2)
  const all = jsonOf(top)
  const idsOf = (coins: readonly { coinId: string }[]) => coins.map(({ coinId }) => coinId)
  expect(idsOf(all.coins).toSorted()).toEqual([
    'bitcoin',
    'dogecoin',
    'ethereum',
    'pepe',
    'ripple',
    'shiba-inu',
  ])
  expect(all.notAdded).toEqual([])
  expect([...jsonOf(some).coins, ...all.coins]).toContainEqual(
    expect.objectContaining({ coinId: 'ethereum', name: 'Ethereum', added: ['binance:ETHUSDT'] }),
  )
  expect(top?.stderr).toBe('')
  expect(quoted?.stderr).toMatch(/^error: \w+ has no market of SHIB in EUR: choose with --market \w+:\S+/)
  expect(several).toMatchObject({
    code: 2,
    stderr: 'error: 1 of 3 coins were not added: see above\n',
  })
  expect(jsonOf(several)).toMatchObject({
    coins: [{ coinId: 'ripple' }, { coinId: 'ethereum' }],
    notAdded: [{ coinId: 'nothing', why: expect.stringMatching(/^the ticker of nothing is not known here/) }],
  })
  expect(oneOf(one)).toMatchObject({ added: ['binance:SHIBUSDT'] })
  expect(none).toEqual(refused('no coin is named: add one, such as bitcoin, or the largest with --top 20'))
  expect(both).toEqual(refused('--top names the coins already: leave either out'))
})

test.concurrent('a market whose price is not that of the coin is reported', async () => {
  await using site = await openSite({ config: 'track: [ripple]\n' })
  const [other, same] = await site.runLines([
    'coins add ethereum --market binance:DOGEUSDT --symbol ETH --json',
    'coins add bitcoin --market okx:BTC-USDT --json',
  ])
  expect(other).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      /^binance:DOGEUSDT trades at \S+, and CoinGecko has \S+ for ethereum: if that is another coin, stop it with beacon coins remove ethereum\.$/m,
    ),
  })
  expect(same).toMatchObject({ code: 0, stderr: '' })
})

test.concurrent('what is no coin is refused with what it is', async () => {
  await using site = await openSite()
  const lines = [
    ['bybit:AAPLXUSDT', 'a tokenised share or fund'],
    ['gateio:AAPLX_USDT', 'a tokenised share or fund'],
    ['gateio:AAPLON_USDT', 'a tokenised share or fund'],
    ['gateio:BTC3L_USDT', 'a leveraged token'],
  ] as const
  const ends = await site.runLines([
    ...lines.map(([market]) => `coins add apple --market ${market}`),
    'coins add apple --symbol AAPLX --source bybit',
  ])
  const text = (market: string, kind: string) =>
    `${market} is ${kind}, and only coins are tracked: choose another market with --market SOURCE:SYMBOL`
  expect(ends).toEqual([
    ...lines.map(([market, kind]) => refused(text(market, kind))),
    refused(text('bybit:AAPLXUSDT', 'a tokenised share or fund')),
  ])
})

test.concurrent('a symbol that was another coin’s before is tracked from its own listing on', async () => {
  await using site = await openSite()
  const add = 'coins add solayer --market gateio:LAYER_USDT'
  const backfill = 'backfill solayer --timeframe 1d --from 2023-05-20 --to 2023-09-10 --json'
  const [proposed, all, before, moved, coverage, list, text, after, gaps, redated] = await site.runLines([
    add,
    // Who knows better may say so.
    `${add} --since 2017-01-01 --json`,
    backfill,
    `${add} --since 2023-09-01T08:00Z`,
    'coverage solayer --json',
    'coins list --json',
    'coins list',
    backfill,
    'gaps solayer --timeframe 1d --from 2023-05-20 --to 2023-09-10 --json',
    // OKX has dated its markets anew: their candles go on through it.
    'coins add tether-bitcoin --market okx:BTC-USDT',
  ])
  expect(proposed).toEqual(
    refused(
      `gateio:LAYER_USDT is listed since 2023-09-01 08:00 UTC, and its earlier candles are another coin's: track it from then on with: beacon ${add} --since 2023-09-01T08:00Z (with an earlier --since they are taken for this coin's)`,
    ),
  )
  expect(oneOf(all)).toMatchObject({
    since: [{ market: 'gateio:LAYER_USDT', since: '2017-01-01T00:00:00.000Z' }],
  })
  expect(jsonOf(before).result).toMatchObject({ new: 113 })
  // The day in which it was listed is made of both: it is not the coin's own.
  expect(moved?.stdout).toContain(
    'is tracked on gateio:LAYER_USDT since 2023-09-01 08:00 UTC. 105 earlier candles',
  )
  const { rows } = await site.database.pool.query(
    `select to_char(min(timestamp), 'YYYY-MM-DD') as first, count(*)::integer as candles,
       (select count(*)::integer from quarantined_rows) as quarantined
     from ohlcv_data where coin_id = 'solayer'`,
  )
  expect(rows).toEqual([{ first: '2023-09-02', candles: 8, quarantined: 105 }])
  expect(jsonOf(coverage).series).toMatchObject([{ from: '2023-09-02T00:00:00.000Z' }])
  const solayer = jsonOf(list).coins.find(({ id }: { id: string }) => id === 'solayer')
  expect(solayer.since).toEqual([{ market: 'gateio:LAYER_USDT', since: '2023-09-01T08:00:00.000Z' }])
  expect(text?.stdout).toMatch(/^solayer .* gateio:LAYER_USDT \(since 2023-09-01 08:00\)$/m)
  expect(jsonOf(after)).toMatchObject({ plan: { requests: 0 } })
  expect(jsonOf(gaps).gaps).toMatchObject([{ cause: 'not-listed', candles: 105 }])
  expect(redated).toMatchObject({ code: 2, stderr: expect.stringContaining('is tracked as bitcoin already') })
})

test.concurrent('a market that was dated anew is added like any other', async () => {
  await using site = await openSite({ config: 'track: [ripple]\n' })
  const [added, again] = await site.runLines([
    'coins add bitcoin --market okx:BTC-USDT --json',
    'coins add bitcoin --market okx:btc-usdt',
  ])
  expect(oneOf(added)).toMatchObject({ added: ['okx:BTC-USDT'], since: [] })
  expect(again?.stdout).toContain('nothing has changed')
})

test.concurrent('a coins file that gives one market to two coins is refused by line', async () => {
  await using site = await openSite()
  const file = (name: string) => join(site.folder, name)
  const coins = [
    '- { id: bitcoin, symbol: BTC, name: Bitcoin, markets: { kraken: XXBTZUSD } }',
    '- { id: xbt, symbol: XBT, name: Bitcoin, markets: { kraken: XBT/USD } }',
  ]
  await writeFile(file('two.yaml'), coins.join('\n'))
  await writeFile(file('beacon.yaml'), 'coinsFile: two.yaml\n')
  const [end] = await site.runLines([
    { line: 'coins list', variables: { BEACON_CONFIG: file('beacon.yaml') } },
  ])
  expect(end).toEqual(
    refused(
      `${file('two.yaml')}:2: 1.markets.kraken "XBT/USD" is the market of bitcoin already, and one market is one coin: remove it from bitcoin or from xbt`,
    ),
  )
})

test.concurrent('markets that two coins had before are named until one of them is stopped', async () => {
  await using site = await openSite({ config: 'track: [ripple, bitcoin]\n' })
  await site.runLines(['coins list'])
  await site.database.pool.query(`
    insert into coins (id, symbol, name, created_at, updated_at) values ('xbt', 'XBT', 'xbt', now(), now());
    insert into instruments (coin_id, source, symbol, preference, tracked_from, shares_market)
      values ('xbt', 'okx', 'btc-usdt', 0, now(), true)`)
  const [list, doctor, refusedThird, removed, cleared] = await site.runLines([
    'coins list',
    'doctor --json',
    'coins add third --market okx:BTC-USDT',
    'coins remove bitcoin',
    'coins list --json',
  ])
  const listed = list?.stdout.replaceAll(/\n +/g, ' ')
  expect(listed).toMatch(/^bitcoin .*okx:BTC-USDT \(tracked as xbt too: remove one of them\)/m)
  expect(listed).toMatch(/^xbt .*okx:btc-usdt \(tracked as bitcoin too: remove one of them\)$/m)
  const { checks } = jsonOf(doctor)
  expect(checks.find(({ name }: { name: string }) => name === 'markets').findings).toEqual([
    {
      severity: 'warning',
      message: 'okx:btc-usdt is tracked as xbt and as bitcoin: one of them has the candles of another coin.',
      remedy: 'Stop the one that is wrong: npx beacon coins remove xbt, or bitcoin',
    },
  ])
  expect(refusedThird?.stderr).toContain('okx:BTC-USDT is tracked as bitcoin already')
  expect(removed).toMatchObject({ code: 0 })
  expect(
    jsonOf(cleared).coins.map(({ id, shared }: { id: string; shared: unknown }) => [id, shared]),
  ).toEqual([
    ['ripple', []],
    ['xbt', []],
  ])
  const { rows } = await site.database.pool.query('select coin_id from instruments where shares_market')
  expect(rows).toEqual([])
})
